"""What a report says, before it is a page: one frozen value that templates render.

Every text in it has been through `texts`: control characters are visible and the end
is cut. Escaping is the templates' work, for each form its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from aistrale_lab.analysis.tables import Column

Tone = Literal["plain", "finding", "warning", "muted"]
"""What a sentence is: said by the way, found, to be known first, or a footnote."""

State = Literal["", "right", "wrong", "failed"]
"""How an answer is marked, besides its score in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence."""

    kind: ClassVar[str] = "line"
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Heading:
    """A title within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what is known under them."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as it was written; `note` says what is left out of it."""

    kind: ClassVar[str] = "passage"
    label: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval and its middle, as shares of the width of a cell, 0 to 100."""

    low: float
    middle: float
    high: float
    full: bool = True
    """Whether the mark is full; hollow is what cannot be told from chance or is worse."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. With `bars`, a column of drawn intervals follows the first `after`.

    `axis` is the lowest and the highest value that the bars can show, `zero` the place
    of a line at zero, `legend` says how to read them. `note` says what is left out.
    `links` are addresses of what the rows are about.
    """

    kind: ClassVar[str] = "grid"
    columns: Sequence[Column]
    caption: str = ""
    note: str = ""
    bars: Sequence[Bar | None] = ()
    after: int = 1
    axis: tuple[str, str] = ("", "")
    zero: float | None = None
    legend: str = ""
    links: Sequence[str] = ()

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells row by row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as an SVG in base64; `text` says in words what there is to see."""

    kind: ClassVar[str] = "picture"
    title: str
    svg: str
    text: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run said to a sample, how it was judged, and what is left out.

    `href` is the address of all that is known of it. `spans` are the text in parts
    that are `same`, `added` or `removed`, if it is held against another one.
    """

    who: str
    text: str
    verdict: str
    state: State = ""
    note: str = ""
    href: str = ""
    spans: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A sample, and the answers to it beside each other."""

    kind: ClassVar[str] = "card"
    title: str
    remark: str
    passages: Sequence[Passage]
    answers: Sequence[Answer]


Block = Line | Heading | Facts | Passage | Grid | Picture | Card
"""What a section is made of."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report; `anchor` is its place in the page."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report: its title, what it is about, its key figures, its sections."""

    title: str
    subject: str
    figures: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    colophon: str
