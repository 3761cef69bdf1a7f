"""Which texts of a page hardly stand out from their background, after WCAG 2.2."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator

CONTRAST = 4.5
"""Of text to its background, WCAG 2.2, 1.4.3."""

MEASURE = (Path(__file__).parents[1] / "browser" / "contrast.js").read_text()


def texts_of(view: Locator) -> list[dict[str, Any]]:
    """The visible texts of a view, with their colours and their contrast."""
    seen: list[dict[str, Any]] = view.evaluate(MEASURE)
    return seen


def faint(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of too little contrast."""
    return [text for text in texts if text["ratio"] < CONTRAST]
