"""Descriptions as text: HTML that loads and runs nothing, or Markdown."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FunctionLoader,
    StrictUndefined,
)
from markupsafe import Markup

from aistrale_lab.report.description import Block, Line, Report

FOLDER = files("aistrale_lab.report")

POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a page of ours may do: show inline pictures and wear its one style sheet."""

MARKS = {"right": "✓", "wrong": "✗", "failed": "!"}
"""The sign of an answer's state: colour is never alone."""

_SPECIAL = re.compile(r"[\\`*_\[\]|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BECOMES_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)")
_BEGINS = re.compile(r"^([#+=-])|^(\d+)([.)])(?=\s|$)")


class Plain(str):
    """Text that is Markdown already."""

    __slots__ = ()


def html(report: Report) -> str:
    """The report as one page, with nothing to load and no script."""
    return page("report.html.jinja", report=report)


def markdown(report: Report) -> str:
    """The report as Markdown, without pictures; what others wrote stays text."""
    sections = [(one.title, Plain(_body(one.blocks))) for one in report.sections]
    page = _markdown().get_template("report.md.jinja")
    return page.render(report=report, sections=sections).strip() + "\n"


def _body(blocks: Sequence[Block]) -> str:
    """The blocks one below the other; findings and warnings as one list."""
    body, listed = "", False
    for block in blocks:
        template = _markdown().get_template(f"{block.kind}.md.jinja")
        text = template.render(block=block).strip("\n")
        is_item = isinstance(block, Line) and block.tone in ("finding", "warning")
        body += ("\n" if listed and is_item else "\n\n") + text
        listed = is_item
    return body.strip("\n")


def page(template: str, **values: Any) -> str:
    """A page of the house's style, which alone its policy allows."""
    style = (FOLDER / "static" / "house.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _html()
        .get_template(template)
        .render(
            style=Markup(style), policy=Markup(POLICY.format(digest=digest)), **values
        )
    )


def escaped(text: object) -> str:
    """The text as Markdown shows it: in one line, no markup, no HTML, no link."""
    if isinstance(text, Plain):
        return text
    words = " ".join(str(text).split())
    words = "".join(_ENTITIES.get(letter, letter) for letter in words)
    words = _SPECIAL.sub(r"\\\g<0>", words)
    words = _BECOMES_LINK.sub(_unlinked, words)
    return _BEGINS.sub(_begun, words)


def fenced(text: str) -> Plain:
    """The text as a block of code, whatever it holds."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Plain(f"{fence}text\n{text}\n{fence}")


def padded(cell: str) -> str:
    """An interval whose digits stand below each other: its blanks are as wide."""
    return cell.replace(" ", "\u2007") if cell.startswith("[") else cell


def _unlinked(found: re.Match[str]) -> str:
    word, mark = found[1] or found[3], found[2] or found[4]
    return f"{word}&#{ord(mark)};"


def _begun(found: re.Match[str]) -> str:
    """A beginning that would make a heading or a list."""
    if found[1]:
        return f"\\{found[1]}"
    return f"{found[2]}\\{found[3]}"


def html_environment(*first: BaseLoader) -> Environment:
    """The templates of HTML; those of `first` go before those of the house."""
    return _environment(*first, autoescape=True)


def _file(name: str) -> str:
    return (FOLDER / "templates" / name).read_text("utf-8")


def _environment(*first: BaseLoader, **how: Any) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([*first, FunctionLoader(_file)]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **how,
    )
    environment.filters |= {"padded": padded, "fenced": fenced}
    environment.globals["marks"] = MARKS
    return environment


@cache
def _html() -> Environment:
    return html_environment()


@cache
def _markdown() -> Environment:
    # Every value is escaped on its way out; there is no macro, whose text would be too.
    return _environment(autoescape=False, finalize=escaped)
