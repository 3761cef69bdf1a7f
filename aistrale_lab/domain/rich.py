"""HTML of values, made of escaped strings: nothing that a model wrote becomes markup."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from aistrale_lab.logs import visible

LONGEST = 300
"""Characters of a text that a cell shows."""

ROOM = 50_000
"""Bytes of a table's rows; of those that do not fit, the table says how many."""

MOST_ROWS = 60
"""Rows of a table that pandas writes."""

NO_FORMULAS = "tex2jax_ignore mathjax_ignore"
"""Classes within which a notebook takes no `$` for the edge of a formula."""


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
    """A table of escaped cells; the columns at `numbers` are set to the right.

    It stays small whatever it is given: rows beyond `ROOM` are only counted.
    """
    right = {*numbers}
    lines = [f'<table class="{NO_FORMULAS}">']
    if caption:
        lines.append(f'<caption style="text-align:left">{text(caption)}</caption>')
    cells = "".join(_cell("th", n in right, h, longest) for n, h in enumerate(headings))
    lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    lines += _fitting_rows(rows, right, longest, len(headings))
    lines.append("</tbody></table>")
    return "\n".join(lines)


def _fitting_rows(
    rows: Iterable[Sequence[object]], right: set[int], longest: int, columns: int
) -> Iterator[str]:
    """The first rows, as many as there is room for, and the number of the others."""
    room, left_out = ROOM, 0
    for row in rows:
        if not left_out:
            cells = (_cell("td", n in right, v, longest) for n, v in enumerate(row))
            line = f"<tr>{''.join(cells)}</tr>"
            room -= len(line.encode())
            if room >= 0:
                yield line
                continue
        left_out += 1
    if left_out:
        said = f"{left_out:,} more {'row' if left_out == 1 else 'rows'}"
        yield f'<tr><td colspan="{columns}" style="text-align:left">{said}</td></tr>'


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A title over a list of names and values."""
    rows = "".join(
        f'<tr><th style="text-align:left">{text(name)}</th>'
        f'<td style="text-align:left">{text(value)}</td></tr>'
        for name, value in pairs
    )
    table = f"<table><tbody>{rows}</tbody></table>"
    return plain(f"<strong>{text(title)}</strong>{table}")


def plain(html: str) -> str:
    """HTML of ours whose texts are no formulas."""
    return f'<div class="{NO_FORMULAS}">{html}</div>'


def _cell(tag: str, right: bool, value: object, longest: int) -> str:
    side = "right" if right else "left"
    return f'<{tag} style="text-align:{side}">{text(value, longest=longest)}</{tag}>'
