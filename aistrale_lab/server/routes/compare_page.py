"""Two runs compared: the differences with their intervals, and sample by sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from aistrale_lab.analysis.run_tables import model_names
from aistrale_lab.analysis.side_by_side import KINDS, Kind, SideBySide
from aistrale_lab.analysis.summary import compare_object
from aistrale_lab.analysis.word_diff import word_diff
from aistrale_lab.errors import LabError, NotFoundError
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report.description import Answer, Block, Card, Line, Passage
from aistrale_lab.report.differences import compared_blocks
from aistrale_lab.report.examples import verdict_of
from aistrale_lab.report.pictures import compare_picture
from aistrale_lab.report.texts import left_out, message, name, shown
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.pages.group_choice import choose_group
from aistrale_lab.server.pages.kept import in_thread
from aistrale_lab.server.pages.links import LINKS, with_query
from aistrale_lab.server.pages.paging import make_pager
from aistrale_lab.server.pages.reading import open_run, state_of, store_of
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.pages.words import Number, Words
from aistrale_lab.store.opened import OpenedResult
from aistrale_lab.store.records import RunRecord

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

SIZE = 10
"""Samples on a page."""

LONGEST = 4_000
"""Characters of an answer that are shown."""

PATH = "/compare"

TABS: Mapping[Kind, str] = {
    "differ": "answers differ",
    "regressions": "worse",
    "improvements": "better",
    "failed": "without an answer",
    "all": "all",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The samples that the page's address asks for."""

    kind: Kind
    group: str
    search: str
    page: int
    groups: str
    """What is looked for among the groups that the filter offers."""


@router.get("/compare")
@door(SESSION)
async def compare(
    request: Request,
    baseline: Words,
    candidate: Words,
    kind: Kind = "differ",
    group: Words = "",
    search: Words = "",
    groups: Words = "",
    page: Number = 1,
) -> Response:
    """Candidate minus baseline, and the samples that decide it."""
    asked = Asked(kind, group, search, page, groups)
    return await in_thread(request, _compare, request, baseline, candidate, asked)


def _compare(request: Request, baseline: str, candidate: str, asked: Asked) -> Response:
    runs = open_run(request, baseline), open_run(request, candidate)
    names = [name(one) for one in model_names(runs)]
    chosen = {"baseline": runs[0].id, "candidate": runs[1].id}
    swapped = {"baseline": runs[1].id, "candidate": runs[0].id}
    experiments = {run.experiment_id: name(run.name) for run in runs}
    return page(
        request,
        "compare.html.jinja",
        baseline=names[0],
        candidate=names[1],
        experiments=list(experiments.items()),
        blocks=_differences(request, runs, names),
        swapped=with_query(PATH, swapped),
        **_samples(request, runs, chosen, asked),
    )


def _differences(
    request: Request, runs: tuple[RunRecord, RunRecord], names: list[str]
) -> list[Block]:
    def make() -> list[Block]:
        try:
            comparison = request.app.state.bench.compare(*runs)
        except NotFoundError:
            raise
        except LabError as error:
            return [Line(shown(f"Nothing is compared: {error.message}."), "muted")]
        found = compare_object(comparison)
        found["baseline_model"], found["candidate_model"] = names
        warned = [Line(shown(f"{one}"), "warning") for one in comparison.warnings]
        return [*compared_blocks(found), *warned, compare_picture(comparison)]

    key = ("compared", *state_of(request, *runs))
    blocks: list[Block] = request.app.state.kept.get(key, make)
    return blocks


def _samples(
    request: Request,
    runs: tuple[RunRecord, RunRecord],
    chosen: dict[str, str],
    asked: Asked,
) -> dict[str, Any]:
    """The part of the page that shows samples, or why there is none."""
    kept, key = request.app.state.kept, ("sides", *state_of(request, *runs))
    try:
        sides = kept.get(key, lambda: request.app.state.bench.side_by_side(*runs))
    except NotFoundError:
        raise
    except LabError as error:
        return {"unlike": shown(f"{error.message}.")}
    among = {"group": asked.group, "search": asked.search}
    places = sides.find(asked.kind, **among)
    counts = sides.count(**among)
    query = {**chosen, **among, "kind": asked.kind}
    start = (asked.page - 1) * SIZE
    return {
        "unlike": "",
        "tabs": [
            {
                "label": TABS[kind],
                "count": f"{counts[kind]:,}",
                "current": kind == asked.kind,
                "href": with_query(PATH, {**query, "kind": kind}) + "#samples",
            }
            for kind in TABS
            if kind in KINDS
        ],
        "kept": {**chosen, "kind": asked.kind},
        "search": asked.search,
        "group_choice": choose_group(
            Experiment(store_of(request), runs[0].experiment_id),
            asked.group,
            asked.groups,
        ),
        "cards": [_card(sides, at) for at in places[start : start + SIZE]],
        "pager": make_pager(
            PATH, query, page=asked.page, size=SIZE, found=len(places), what="samples"
        ),
    }


def _card(sides: SideBySide, at: int) -> Card:
    """A sample with both answers; the candidate's with what differs."""
    opened = sides.opened(at)
    sample = next(one for one in opened if one is not None).sample
    epoch = int(sides.rows.iloc[at]["epoch"])
    texts = [_text(one) for one in opened]
    verdict = sides.verdict(at)
    remarks = [verdict if verdict != "same" else ""]
    remarks += [f"epoch {epoch}"] if epoch > 1 else []
    remarks += [f"group {name(sample.group)}"] if sample.group else []
    said = [("input", sample.input_text), ("target", sample.target)]
    answers = [
        Answer(
            who=name(sides.names[n]),
            text=texts[n],
            href=LINKS.result((sides.runs[n].id, sample.id, epoch)) if one else "",
            **_judged(sides, at, n, one),
            spans=_spans(opened, texts) if n else (),
        )
        for n, one in enumerate(opened)
    ]
    return Card(
        title=name(sample.id),
        remark=" · ".join(filter(None, remarks)),
        passages=[
            Passage(label, shown(text), left_out(text))
            for label, text in said
            if text is not None
        ],
        answers=answers,
    )


def _judged(
    sides: SideBySide, at: int, n: int, one: OpenedResult | None
) -> dict[str, Any]:
    """Verdict, state and note of an answer."""
    if one is None:
        return {"verdict": "no result"}
    if one.error_type is not None:
        return {"verdict": f"failed: {name(one.error_type)}", "state": "failed"}
    score = float(sides.scores[at][n])
    known = None if score != score else score
    verdict, state = verdict_of(known, sides.scorer or "", known in (0, 1))
    note = left_out(one.output or "", LONGEST)
    return {"verdict": verdict if sides.scorer else "", "state": state, "note": note}


def _text(one: OpenedResult | None) -> str:
    if one is None:
        return ""
    if one.error_type is not None:
        return message(one.error or "")
    return shown(one.output or "", LONGEST)


def _spans(
    opened: list[OpenedResult | None], texts: list[str]
) -> list[tuple[str, str]]:
    """What differs from the baseline; an error is compared with nothing."""
    if any(one is None or one.error_type is not None for one in opened):
        return []
    return [(kind, text) for kind, text in word_diff(*texts)]
