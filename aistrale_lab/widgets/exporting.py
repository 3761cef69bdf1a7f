"""A notebook as one HTML page that stands alone: no script, nothing from elsewhere.

nbconvert by itself shows no widget's static twin, loads its scripts from a content
network, and its own sanitising takes the heads out of tables. These are the settings
that mend it, for `to_html` and for the export of a running JupyterLab.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aistrale_lab.logs import visible

BLOCKS = "article br dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr p"
TEXTS = "a abbr b blockquote code del em i img kbd li ol pre q s small span strong sub"
TABLES = "caption col colgroup table tbody td tfoot th thead tr"
TAGS = frozenset(f"{BLOCKS} {TEXTS} {TABLES} summary sup u ul".split())
"""What may stand in an output or in text; other tags go, their text stays."""

ATTRIBUTES = frozenset(
    "align alt class colspan height id open rowspan scope start style title width"
    " aria-label aria-sort".split()
)

STYLES = frozenset(
    "color background-color display font-family font-size font-style font-variant"
    " font-weight height letter-spacing line-height margin max-height max-width"
    " min-width overflow overflow-wrap overflow-x overflow-y padding text-align"
    " text-decoration vertical-align white-space width".split()
)
"""Properties of CSS; none of them takes an address."""

PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]")
LINK = re.compile(r"(https?:|mailto:|#)", re.IGNORECASE)
STYLE_SHEET = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)

SHOWN = (
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/latex",
    "text/plain",
)

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "NbConvertBase": {"display_data_priority": list(SHOWN)},
    "HTMLExporter": {
        "template_name": "aistrale",
        "extra_template_basedirs": [str(files(__package__) / "assets" / "export")],
        "sanitize_html": True,
        "filters": {"clean_html": f"{__name__}.clean"},
    },
}
"""By class and trait, as Jupyter's configuration has them."""


def to_html(notebook: Path) -> str:
    """The page of a notebook file, which is not executed."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    exporter = HTMLExporter(config=Config(SETTINGS))  # type: ignore[no-untyped-call]
    page: str = exporter.from_filename(str(notebook))[0]
    return page


def clean(html: object) -> str:
    """HTML in which nothing runs, is loaded or hides; tables stay tables."""
    import bleach  # type: ignore[import-untyped]
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]

    cleaned: str = bleach.clean(
        # only so that no style sheet is left as text: what is safe, bleach decides
        STYLE_SHEET.sub("", html.decode() if isinstance(html, bytes) else str(html)),
        tags=TAGS,
        attributes=_may_stand,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
    )
    return visible(cleaned)


def _may_stand(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return LINK.match(value) is not None
    if (tag, name) == ("img", "src"):
        return PICTURE.match(value) is not None
    return name in ATTRIBUTES
