"""The measure of contrast finds what is faint, by ratios that WCAG's formula gives."""

import pytest
from playwright.sync_api import Browser, Page
from servers.contrast import faint, texts_of

SHEET = """
:root { color-scheme: light dark; --back: #fff; --fore: #000; --grey: #777; }
@media (prefers-color-scheme: dark) {
  :root { --back: #000; --fore: #fff; --grey: #747474; }
}
body { background: var(--back); color: var(--fore); }
.grey, .field::placeholder { color: var(--grey); }
.half { opacity: 0.5; }
.clear { color: rgb(from var(--fore) r g b / 0.3); }
.card { background: #1565c0; color: #1565c1; }
"""
TEXTS = """
<p>plain</p><p class="grey">grey</p><p class="half">half</p>
<p class="clear">clear</p><div class="card"><b>card</b></div>
<p hidden class="grey">hidden</p><input class="field" placeholder="hint">
"""
RATIOS = {
    "light": {"plain": 21, "grey": 4.48, "half": 3.98, "clear": 2.11, "card": 1},
    "dark": {"plain": 21, "grey": 4.49, "half": 5.28, "clear": 2.46, "card": 1},
}
"""Of each text to what is behind it, from WCAG's formula."""


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Page:
    page = browser.new_page(color_scheme=request.param)
    page.set_content(f"<style>{SHEET}</style>{TEXTS}")
    request.addfinalizer(page.close)
    return page


def test_what_is_faint_is_caught_in_both_schemes(
    page: Page, request: pytest.FixtureRequest
) -> None:
    expected = RATIOS[request.node.callspec.params["page"]]

    seen = texts_of(page.locator("body"))

    found = {text["text"]: text["ratio"] for text in seen if text["text"] in expected}
    assert found == pytest.approx(expected, abs=0.03)
    low = {name for name, ratio in expected.items() if ratio < 4.5} | {"hint"}
    assert {text["text"] for text in faint(seen)} == low
    assert "hidden" not in {text["text"] for text in seen}
