"""Values of a result as the cells of a table, and long texts as a pane shows them."""

from datetime import datetime
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.logs import visible

CELL = 120
"""Characters of a text in a cell."""

LONGEST = 50_000
"""Characters of a text in a pane; what is left out is said."""

MONEY = "cost_usd"


def cell(name: str, value: Any) -> str:
    """The value of a column, `–` if it is not known."""
    if value is None:
        return figures.UNKNOWN
    if name == MONEY:
        return figures.dollars([float(value)])[0]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    text = " ".join(visible(str(value)[: CELL + 1]).split())
    return text if len(str(value)) <= CELL else f"{text}…"


def number(value: float) -> str:
    """Whole numbers as such, others with three decimals."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


def long_text(text: str | None, *, longest: int = LONGEST) -> dict[str, str]:
    """A text for a pane: control characters visible, and a note of what is cut."""
    if text is None:
        return {"text": "", "note": "none"}
    shown = visible(text[:longest])
    if len(text) <= longest:
        return {"text": shown, "note": "" if text else "empty"}
    left = len(text) - longest
    return {
        "text": shown,
        "note": f"{left:,} more characters are left out here; an export has them",
    }
