"""`CompareView`: the answers of two or more runs side by side, and where they differ."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aistrale_lab.analysis.word_diff import word_diff
from aistrale_lab.domain import rich
from aistrale_lab.logs import visible
from aistrale_lab.widgets.cells import cell, long_text, number
from aistrale_lab.widgets.group_choice import offered_groups
from aistrale_lab.widgets.view import Act, View, asset

if TYPE_CHECKING:
    from aistrale_lab.analysis.side_by_side import Kind, SideBySide
    from aistrale_lab.store.opened import OpenedResult

PAGE = 20
"""Samples in the list at a time."""

LONGEST = 20_000
"""Characters of an answer that are shown."""

TWINS = 10
"""Samples in the static twin."""

TWIN = 300
"""Characters of an answer in the static twin."""

TWIN_RUNS = 8
"""Runs in the static twin."""

TITLES: Mapping[str, str] = {
    "all": "all samples",
    "differ": "where the answers differ",
    "regressions": "regressions",
    "improvements": "improvements",
    "failed": "without an answer",
}
"""The filters, and what they are called."""


FILTERS = ("kind", "group", "search")
"""The parts of the state that choose samples."""


class HasSides(Protocol):
    """A bench or an experiment: whatever can put runs side by side."""

    def side_by_side(self, *which: Any, scorer: str | None = None) -> "SideBySide":
        """The runs, baseline first."""


class CompareView(View):
    """Two or more runs of the same samples: answer beside answer, word by word.

    `source` is an experiment or a bench, `which` its runs (ids, beginnings of them, for
    an experiment also models), the baseline first; by default all of an experiment.
    `scorer` says which answer is better. Raises NotFoundError, and ValidationError for
    runs of other datasets.
    """

    _esm = asset("common.js", "compare_view.js")
    _css = asset("common.css", "compare_view.css")

    def __init__(
        self, source: HasSides, *which: Any, scorer: str | None = None
    ) -> None:
        self._sides = source.side_by_side(*which, scorer=scorer)
        self._found: list[int] = []
        names = [visible(name) for name in self._sides.names]
        groups = self._sides.groups()
        super().__init__(
            {
                "names": names,
                "scorer": visible(self._sides.scorer or ""),
                "titles": [list(pair) for pair in TITLES.items()],
                **offered_groups(groups, len(groups)),
                "kind": "differ",
                "group": "",
                "search": "",
                "place": 0,
            }
        )
        self._filter()
        if not self._found:
            self._filter(kind="all")

    def acts(self) -> Mapping[str, Act]:
        """What the person can do."""
        return {
            "filter": self._filter,
            "go": self._go,
            "step": self._step,
            "jump": self._jump,
        }

    def static_html(self) -> str:
        """The counts, and the first samples of the filter beside each other."""
        names = self.state["names"]
        headings = ["sample", "input", "target", *names[:TWIN_RUNS]]
        rows = [self._twin_row(place) for place in self._found[:TWINS]]
        table = rich.table(headings, rows, longest=TWIN)
        left = {
            "samples": len(self._found) - len(rows),
            "runs": len(names) - TWIN_RUNS,
        }
        more = "".join(f"<p>{n:,} more {what}</p>" for what, n in left.items() if n > 0)
        return f"<p>{rich.text(self._counts_said())}</p>\n{table}\n{more}"

    def static_text(self) -> str:
        """The counts, and the ids of the first samples of the filter."""
        ids = [item["sample"] for item in self.state["items"]]
        return f"CompareView: {self._counts_said()}\n{', '.join(ids)}"

    def _filter(self, **asked: str) -> None:
        """Show the samples of a kind, a group, a search; begin at the first one."""
        known = {name: asked.get(name, self.state[name]) for name in FILTERS}
        among = {"group": known["group"], "search": known["search"]}
        kind: Kind = known["kind"]
        self._found = self._sides.find(kind, **among)
        counts = self._sides.count(**among)
        self.show(**known, counts={name: f"{n:,}" for name, n in counts.items()})
        self._go(0)

    def _go(self, place: int) -> None:
        """Show the sample at a place of the list, and its page of the list."""
        place = max(0, min(int(place), len(self._found) - 1))
        start = place // PAGE * PAGE
        self.show(
            place=place,
            start=start,
            items=[self._item(at) for at in self._found[start : start + PAGE]],
            total=len(self._found),
            shown=self._shown(self._found[place]) if self._found else None,
            said=self._said(place),
        )

    def _step(self, by: int) -> None:
        """So many samples on; quick keys add up."""
        self._go(self.state["place"] + int(by))

    def _jump(self, by: int) -> None:
        """To the next (or, below 0, the previous) sample that is better or worse."""
        step = 1 if by > 0 else -1
        place = self.state["place"] + step
        while 0 <= place < len(self._found):
            if self._sides.verdict(self._found[place]) != "same":
                self._go(place)
                return
            place += step

    def _item(self, at: int) -> dict[str, Any]:
        """A sample in the list: its id, each score, and whether it is better or worse."""
        row = self._sides.rows.iloc[at]
        epoch = f" (epoch {row['epoch']})" if row["epoch"] > 1 else ""
        return {
            "sample": cell("sample_id", str(row["sample_id"])) + epoch,
            "scores": [_sign(score) for score in self._sides.scores[at]],
            "verdict": self._sides.verdict(at),
        }

    def _shown(self, at: int) -> dict[str, Any]:
        """A row with its texts, each candidate's with what differs."""
        opened = self._sides.opened(at)
        first = next(one for one in opened if one is not None)
        sample = first.sample
        answers = [_answer(one) for one in opened]
        base = answers[0]
        return {
            "title": f"Sample {visible(sample.id)}"
            + (f", group {visible(sample.group)}" if sample.group else ""),
            "input": long_text(sample.input_text, longest=LONGEST),
            "target": long_text(sample.target, longest=LONGEST),
            "answers": [
                {
                    **answer,
                    "name": self.state["names"][n],
                    "spans": _spans(base, answer) if n else [["same", answer["text"]]],
                    "scores": _scores(opened[n]),
                }
                for n, answer in enumerate(answers)
            ],
        }

    def _twin_row(self, at: int) -> list[object]:
        opened = self._sides.opened(at)
        sample = next(one for one in opened if one is not None).sample
        answers = [
            f"{_sign(score)} {_answer(one)['text']}".strip()
            for score, one in zip(self._sides.scores[at], opened, strict=True)
        ]
        return [sample.id, sample.input_text, sample.target, *answers[:TWIN_RUNS]]

    def _counts_said(self) -> str:
        counts = self.state["counts"]
        baseline, *others = self.state["names"]
        told = f"{', '.join(others)} against {baseline}: {counts['all']} samples, "
        told += f"{counts['differ']} with other answers"
        if self.state["scorer"]:
            told += (
                f"; by {self.state['scorer']} {counts['improvements']} better, "
                f"{counts['regressions']} worse"
            )
        return told

    def _said(self, place: int) -> str:
        if not self._found:
            return "no sample fits"
        return f"{place + 1:,} of {len(self._found):,}"


def _answer(opened: "OpenedResult | None") -> dict[str, Any]:
    """What a run answered, or why it did not."""
    if opened is None:
        return {"text": "", "note": "no result", "failed": True}
    if opened.error_type is not None:
        text = long_text(f"{opened.error_type}: {opened.error}", longest=LONGEST)
        return {**text, "failed": True}
    return {**long_text(opened.output or "", longest=LONGEST), "failed": False}


def _spans(base: Mapping[str, Any], answer: Mapping[str, Any]) -> list[list[str]]:
    """What differs from the baseline; an error is compared with nothing."""
    if base["failed"] or answer["failed"]:
        return [["same", answer["text"]]]
    return [list(span) for span in word_diff(base["text"], answer["text"])]


def _scores(opened: "OpenedResult | None") -> list[list[str]]:
    """Each score with its reason."""
    if opened is None:
        return []
    return [
        [
            visible(one.scorer),
            "–" if one.value is None else number(one.value),
            long_text(one.error or one.explanation, longest=500)["text"],
        ]
        for one in opened.scores
    ]


def _sign(score: float) -> str:
    """A score in a narrow column: right, wrong, a number, or none."""
    if score != score:
        return "–"
    return {1.0: "✓", 0.0: "✗"}.get(score, f"{score:.2g}")
