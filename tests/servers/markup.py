"""What a document is made of, for tests that nothing untrusted became markup."""

from html.parser import HTMLParser

SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></tr></table><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "<svg onload=alert(1)>",
    "[x](javascript:alert(1))",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "![](http://169.254.169.254/)",
    "\x1b]52;c;ZXZpbA==\x07",
    "safe\u202egpj.exe",
    "=cmd|' /C calc'!A0",
)
"""Payloads S1 to S6 of what a model may answer."""

TABLES = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
TEXTS = {
    "div",
    "p",
    "strong",
    "em",
    "h4",
    "h5",
    "span",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
}
PLAIN = TABLES | TEXTS | {"details", "summary", "small", "ins", "del", "br", "figure"}


class Markup(HTMLParser):
    """The tags and attributes of a document, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [v or "" for name, v in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def check_inert(document: str, *, images: bool = False) -> Markup:
    """Refuse whatever could run, load or hide something; pictures may be inline."""
    found = Markup(document)
    assert found.tags <= PLAIN | ({"img", "style"} if images else set())
    allowed = {"style", "scope", "class", "colspan"} | (
        {"src", "alt"} if images else set()
    )
    assert found.attributes <= allowed
    assert all(link.startswith("data:image/png;base64,") for link in found.links)
    assert not {"\x1b", "\u202e", "\x07"} & set(found.text)
    return found


PAGE = PLAIN | {
    *("html", "head", "meta", "title", "link", "style", "body"),
    *("header", "footer", "nav", "main", "section", "article", "figcaption"),
    *("h1", "h2", "h3", "dl", "dt", "dd", "a", "bdi", "img", "svg", "line", "circle"),
}
"""The tags of our own pages."""

PAGE_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "id"),
    *("src", "alt", "scope", "role", "tabindex", "aria-label", "aria-hidden"),
    *(
        "focusable",
        "viewbox",
        "width",
        "height",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
    ),
}


def check_page(document: str, *, links: tuple[str, ...] = ()) -> Markup:
    """Refuse a page that could run, load or hide something, but for the links given."""
    found = Markup(document)
    assert found.tags <= PAGE, found.tags - PAGE
    assert found.attributes <= PAGE_ATTRIBUTES, found.attributes - PAGE_ATTRIBUTES
    inner = ("#", "data:image/svg+xml;base64,", "data:,")
    assert all(link.startswith(inner) or link in links for link in found.links)
    assert not {"\x1b", "\u202e", "\x07"} & set(document)
    assert "default-src 'none'" in document
    return found


SERVED = PAGE | {
    *("script", "form", "label", "input", "button", "select", "option", "fieldset"),
    *("legend", "progress", "details", "summary", "code", "ul", "ins", "del"),
}
"""The tags of the server's pages."""

SERVED_ATTRIBUTES = PAGE_ATTRIBUTES | {
    *("method", "action", "type", "value", "maxlength", "minlength", "required"),
    *("for", "selected", "checked", "autofocus", "autocomplete", "autocapitalize"),
    *(
        "spellcheck",
        "pattern",
        "min",
        "max",
        "defer",
        "download",
        "open",
        "placeholder",
    ),
    *(
        "aria-current",
        "aria-sort",
        "aria-describedby",
        "aria-keyshortcuts",
        "data-page",
        "data-progress",
        "data-whole",
        "data-confirm",
    ),
    *("step", "hidden"),
}


def check_served_page(document: str) -> Markup:
    """Refuse a page of the server that runs, loads or leads to what is not its own."""
    found = Markup(document)
    assert found.tags <= SERVED, found.tags - SERVED
    assert found.attributes <= SERVED_ATTRIBUTES, found.attributes - SERVED_ATTRIBUTES
    assert document.count("<script") == 1
    assert '<script src="/static/pages.js" defer></script>' in document
    inner = ("/", "#", "data:image/svg+xml;base64,", "data:,")
    assert all(link.startswith(inner) for link in found.links), found.links
    assert not any(link.startswith("//") for link in found.links)
    assert not {"\x1b", "\u202e", "\x07"} & set(found.text)
    return found
