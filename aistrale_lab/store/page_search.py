"""The rows that a page asks for, as statements: filtered, sorted, and one's place."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    and_,
    case,
    cast,
    func,
    or_,
    select,
)

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ValidationError, one_of
from aistrale_lab.store.datasets import MEMBERS, SAMPLES
from aistrale_lab.store.excerpts import Key
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS, SCORES

CELL = 160
"""Characters of a text that a cell bears."""

SCORE = "score_"
PARAM = "param_"

Outcome = Literal["all", "answered", "failed", "right", "wrong", "unscored"]
"""Which results: all, without or with an error, or by the value of a scorer."""

TEXTS: Mapping[str, ColumnElement[Any]] = {
    "sample_id": RESULTS.c.sample_id,
    "group": SAMPLES.c.group_name,
    "input": SAMPLES.c.input,
    "target": SAMPLES.c.target,
    "output": RESULTS.c.output,
    "error_type": RESULTS.c.error_type,
    "error": RESULTS.c.error,
    "finish_reason": RESULTS.c.finish_reason,
    "response_model": RESULTS.c.response_model,
    "flags": RESULTS.c.flags,
    "request_id": RESULTS.c.request_id,
}
"""The columns that hold text: cut in a cell, and searched where one may look."""

NUMBERS: Mapping[str, ColumnElement[Any]] = {
    "epoch": RESULTS.c.epoch,
    "input_tokens": RESULTS.c.input_tokens,
    "output_tokens": RESULTS.c.output_tokens,
    "cached_input_tokens": RESULTS.c.cached_input_tokens,
    "reasoning_tokens": RESULTS.c.reasoning_tokens,
    "duration_s": RESULTS.c.duration_s,
    "time_to_first_token_s": RESULTS.c.time_to_first_token_s,
    "inter_token_p50_s": RESULTS.c.inter_token_p50_s,
    "inter_token_p95_s": RESULTS.c.inter_token_p95_s,
    "queue_s": RESULTS.c.queue_s,
    "retry_wait_s": RESULTS.c.retry_wait_s,
    "attempts": RESULTS.c.attempts,
    "cost_usd": cast(RESULTS.c.cost_usd, Float),
    "started_at": RESULTS.c.started_at,
}
"""The columns that hold numbers or times."""

SEARCHED = ("sample_id", "group", "input", "target", "output", "error")


class PageQuery(Value):
    """Which rows, in which order; the words are those of `results_df`.

    Without `sort` the rows stand in the order of runs, samples and epochs; rows
    without a value come last either way. `search` is a part of a sample's id, input,
    target, output or error, whatever the case (of ASCII letters in SQLite). `right`
    and `wrong` are results to which `scorer` gives at least half, or less.
    """

    sort: str = ""
    descending: bool = False
    search: str = ""
    runs: tuple[str, ...] = ()
    outcome: Outcome = "all"
    scorer: str = ""
    group: str = ""
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=25, ge=1, le=500)


class Search:
    """The statements of one query."""

    def __init__(
        self,
        store: Store,
        runs: Sequence[RunRecord],
        query: PageQuery,
        scorers: Sequence[str],
    ) -> None:
        self._store = store
        self._runs = {run.id: run for run in runs}
        self._dataset = store.get_experiment(runs[0].experiment_id).dataset
        self._query = query
        self._scorers = {
            name: SCORES.alias(f"scores_{n}") for n, name in enumerate(scorers)
        }
        self._params = {name for run in runs for name in run.params}
        self.whole = not (
            query.search or query.runs or query.group or query.outcome != "all"
        )
        """Whether nothing is left out."""

    def check(self, columns: Sequence[str]) -> None:
        """Raise ValidationError for what there is not."""
        known = [
            *("run_id", "model"),
            *TEXTS,
            *NUMBERS,
            *(f"{SCORE}{name}" for name in self._scorers),
            *(f"{PARAM}{name}" for name in self._params),
        ]
        _refuse_unknown("column", columns, known)
        _refuse_unknown("run", self._query.runs, list(self._runs))
        if self._query.scorer or self._query.outcome in ("right", "wrong", "unscored"):
            _refuse_unknown("scorer", [self._query.scorer], list(self._scorers))

    def ids(self) -> Select[Any]:
        """The ids of the page's rows, in their order."""
        query = self._query
        statement = self._filtered(select(RESULTS.c.id)).order_by(*self._order())
        return statement.limit(query.limit).offset(query.offset)

    def place(self, key: Key) -> Select[Any]:
        """Where a result stands in the order of all that fit."""
        order = self._order()
        named = {
            "place": func.row_number().over(order_by=order),
            "before": func.lag(RESULTS.c.id).over(order_by=order),
            "after": func.lead(RESULTS.c.id).over(order_by=order),
            "found": func.count().over(),
        }
        columns = [RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch]
        windows = [column.label(name) for name, column in named.items()]
        ranked = self._filtered(select(*columns, *windows)).subquery()
        same = (
            ranked.c[column.name] == value
            for column, value in zip(columns, key, strict=True)
        )
        return select(ranked).where(*same)

    def count(self, *, filtered: bool) -> Select[Any]:
        """How many rows there are, or how many fit."""
        if filtered:
            return self._filtered(select(func.count(RESULTS.c.id)))
        runs = RESULTS.c.run_id.in_(list(self._runs))
        return select(func.count()).select_from(RESULTS).where(runs)

    def rows(self, ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of these ids, by column; texts are cut to a little over a cell."""
        asked = [
            self._shown(name).label(f"c{n}")
            for n, name in enumerate(columns)
            if not self._of_run(name)
        ]
        fixed = (RESULTS.c.id, RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch)
        joined = self._joined(select(*fixed, *asked), columns)
        rows = []
        for row in self._store.read(joined.where(RESULTS.c.id.in_(list(ids)))):
            known = dict(row._mapping)
            run = self._runs[row.run_id]
            rows.append(
                {key.name: known[key.name] for key in fixed}
                | {
                    name: _told(run, name) if self._of_run(name) else known[f"c{n}"]
                    for n, name in enumerate(columns)
                }
            )
        return rows

    def _order(self) -> list[ColumnElement[Any]]:
        """What the rows are sorted by; no two are equal in all of it."""
        query, order = self._query, []
        if query.sort:
            key = self._column(query.sort)
            order = [(key.desc() if query.descending else key.asc()).nulls_last()]
        places = {run_id: place for place, run_id in enumerate(self._runs)}
        run = case(places, value=RESULTS.c.run_id, else_=len(places))
        return [*order, run, MEMBERS.c.position, RESULTS.c.epoch]

    def _filtered(self, statement: Select[Any]) -> Select[Any]:
        query = self._query
        needed = [query.sort]
        if query.outcome in ("right", "wrong", "unscored"):
            needed.append(f"{SCORE}{query.scorer}")
        statement = self._joined(statement, needed).where(
            RESULTS.c.run_id.in_(list(query.runs or self._runs)), *self._outcome()
        )
        if query.group:
            statement = statement.where(SAMPLES.c.group_name == query.group)
        if query.search:
            fits = (
                TEXTS[name].icontains(query.search, autoescape=True)
                for name in SEARCHED
            )
            statement = statement.where(or_(*fits))
        return statement

    def _outcome(self) -> list[ColumnElement[bool]]:
        failed = RESULTS.c.error_type
        match self._query.outcome:
            case "answered":
                return [failed.is_(None)]
            case "failed":
                return [failed.is_not(None)]
            case "right":
                return [self._score(self._query.scorer) >= 0.5]
            case "wrong":
                return [self._score(self._query.scorer) < 0.5]
            case "unscored":
                return [self._score(self._query.scorer).is_(None)]
        return []

    def _joined(self, statement: Select[Any], columns: Sequence[str]) -> Select[Any]:
        """With the samples, and the scores of the columns that need them."""
        member = and_(
            MEMBERS.c.dataset == self._dataset,
            MEMBERS.c.sample_id == RESULTS.c.sample_id,
        )
        statement = (
            statement.select_from(RESULTS)
            .outerjoin(MEMBERS, member)
            .outerjoin(SAMPLES, SAMPLES.c.key == MEMBERS.c.sample_key)
        )
        for name in dict.fromkeys(c for c in columns if c.startswith(SCORE)):
            scores = self._scorers[name[len(SCORE) :]]
            same = and_(
                scores.c.run_id == RESULTS.c.run_id,
                scores.c.sample_id == RESULTS.c.sample_id,
                scores.c.epoch == RESULTS.c.epoch,
                scores.c.scorer == name[len(SCORE) :],
            )
            statement = statement.outerjoin(scores, same)
        return statement

    def _score(self, scorer: str) -> ColumnElement[Any]:
        value: ColumnElement[Any] = self._scorers[scorer].c.value
        return value

    def _of_run(self, name: str) -> bool:
        return name in ("run_id", "model") or name.startswith(PARAM)

    def _column(self, name: str) -> ColumnElement[Any]:
        """What a column is sorted by."""
        if name.startswith(SCORE):
            return self._score(name[len(SCORE) :])
        if self._of_run(name):
            values = {run_id: _told(run, name) for run_id, run in self._runs.items()}
            ranked = sorted({str(v) for v in values.values()}, key=_sortable)
            places = {r: ranked.index(str(value)) for r, value in values.items()}
            return case(places, value=RESULTS.c.run_id)
        return TEXTS.get(name, NUMBERS.get(name, RESULTS.c.id))

    def _shown(self, name: str) -> ColumnElement[Any]:
        """What a cell bears."""
        if name in TEXTS:
            return func.substr(TEXTS[name], 1, CELL + 1)
        return self._column(name)


def _told(run: RunRecord, name: str) -> Any:
    """What a run says in the place of its results."""
    if name == "run_id":
        return run.id
    return run.model if name == "model" else run.params.get(name[len(PARAM) :])


def _sortable(text: str) -> tuple[int, float, str]:
    """Numbers by their value, before texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _refuse_unknown(kind: str, asked: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise ValidationError(
            f"unknown {kind} {', '.join(map(repr, unknown))}; "
            f"known {kind}s: {one_of(known) if known else 'none'}"
        )
