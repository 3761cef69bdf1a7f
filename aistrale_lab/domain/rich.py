"""HTML of values, made of escaped strings: nothing that a model wrote becomes markup."""

from collections.abc import Iterable, Sequence
from html import escape

from aistrale_lab.logs import visible

LONGEST = 300
"""Characters of a text that a cell shows."""


def text(value: object, *, longest: int = LONGEST) -> str:
    """A value as escaped text: control characters visible, the end cut, None as –."""
    if value is None:
        return "–"
    shown = str(value)
    if len(shown) > longest:
        shown = f"{shown[:longest]}…"
    return escape(visible(shown))


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    numbers: Iterable[int] = (),
    longest: int = LONGEST,
) -> str:
    """A table of escaped cells; the columns at `numbers` are set to the right."""
    right = {*numbers}
    lines = ["<table>"]
    if caption:
        lines.append(f'<caption style="text-align:left">{text(caption)}</caption>')
    cells = "".join(_cell("th", n in right, h, longest) for n, h in enumerate(headings))
    lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for row in rows:
        cells = "".join(_cell("td", n in right, v, longest) for n, v in enumerate(row))
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</tbody></table>")
    return "\n".join(lines)


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A title over a list of names and values."""
    rows = "".join(
        f'<tr><th style="text-align:left">{text(name)}</th>'
        f'<td style="text-align:left">{text(value)}</td></tr>'
        for name, value in pairs
    )
    return (
        f"<div><strong>{text(title)}</strong><table><tbody>{rows}</tbody></table></div>"
    )


def _cell(tag: str, right: bool, value: object, longest: int) -> str:
    side = "right" if right else "left"
    return f'<{tag} style="text-align:{side}">{text(value, longest=longest)}</{tag}>'
