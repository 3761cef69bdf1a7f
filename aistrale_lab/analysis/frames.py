"""Stored results as frames: one row per answer, and one per run and metric."""

import json
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select, and_, select

from aistrale_lab.analysis.columns import (
    PARAM,
    RESULT_COLUMNS,
    SCORE,
    SUMMARY_COLUMNS,
    column,
    param_column,
)
from aistrale_lab.analysis.intervals import LEVEL
from aistrale_lab.analysis.metrics import percentile, score_metric
from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import NotFoundError, one_of
from aistrale_lab.scorers.base import parse_spec
from aistrale_lab.store.datasets import MEMBERS, SAMPLES
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.reading import EXPERIMENTS, RUNS
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS, SCORES

_STORED = {c.name: c for c in RESULTS.c if c.name in RESULT_COLUMNS} | {
    "input": SAMPLES.c.input,
    "conversation": SAMPLES.c.conversation,
    "target": SAMPLES.c.target,
    "group": SAMPLES.c.group_name,
}
"""Which column of the store fills which of ours."""

_KEY = {"run_id", "sample_id", "epoch"}
"""The columns that every frame of results has."""

Key = tuple[str, str, int]
"""Run, sample and epoch: what a result and its scores share."""


def results_df(
    store: Store, run_ids: Iterable[str], columns: Collection[str] | None = None
) -> pd.DataFrame:
    """One row per sample, model and epoch, failed ones included.

    Runs stand in the order given, samples in that of their dataset, then epochs. The
    columns are those of `RESULT_COLUMNS`, then `score_<scorer>` for each scorer, NaN
    where there is no score, then `param_<name>` for each swept parameter. `model` is
    the full `provider/model`; `flags` are parted by commas; of a conversation,
    `input` is the last user turn. `columns` leaves out the other columns before the
    scores, and spares reading them. Raises NotFoundError for an unknown run.
    """
    runs = _read_runs(store, list(dict.fromkeys(run_ids)))
    wanted = _KEY | set(RESULT_COLUMNS if columns is None else columns)
    values, run_of = _read_results(store, runs, wanted)
    frame = {
        name: column(values[name], kind)
        for name, kind in RESULT_COLUMNS.items()
        if name in wanted
    }
    keys = list(
        zip(values["run_id"], values["sample_id"], values["epoch"], strict=True)
    )
    for scorer, scores in _read_scores(store, runs).items():
        frame[f"{SCORE}{scorer}"] = column([scores.get(k) for k in keys], "float64")
    for name in dict.fromkeys(name for run in runs for name in run.params):
        frame[f"{PARAM}{name}"] = param_column([r.params.get(name) for r in run_of])
    return pd.DataFrame(frame)


def summary_df(
    results: pd.DataFrame, runs: Iterable[RunRecord], level: float = LEVEL
) -> pd.DataFrame:
    """One row per run and metric; a run without scorers has one row, metric NA.

    `value` is the mean over the `n` results that have a score, with its interval, by
    default of 95 %. Failed samples have none: they are counted in `failed`, and never
    silently as wrong; nor is a scorer's own error. Epochs are reduced to their mean,
    groups clustered: see `score_metric`. `total` is samples x epochs as planned. Sums of tokens and
    cost leave out what is unknown, and are missing if nothing is known. Durations
    and times to first token are those of answers; `tokens_per_s` is their output
    tokens over their durations, where both are known.
    """
    places = results.groupby("run_id", sort=False, observed=True).indices
    rows: list[dict[str, Any]] = []
    for run in runs:
        answers = results.iloc[places.get(run.id, [])]
        common = {"run_id": run.id, "model": run.model, "total": run.planned}
        common |= _counts(answers) | _times(answers)
        metrics = [_metric(name, answers, level) for name in _metrics_of(run, results)]
        rows.extend(common | metric for metric in metrics or [{}])
    return pd.DataFrame(
        {
            name: column([row.get(name) for row in rows], dtype)
            for name, dtype in SUMMARY_COLUMNS.items()
        }
    )


def _read_runs(store: Store, run_ids: Sequence[str]) -> list[Row[Any]]:
    """The runs in the order of their ids, with their experiment's task."""
    statement = (
        select(RUNS, EXPERIMENTS.c.dataset, EXPERIMENTS.c.task)
        .join(EXPERIMENTS, EXPERIMENTS.c.id == RUNS.c.experiment_id)
        .where(RUNS.c.id.in_(run_ids))
    )
    found = {row.id: row for row in store.read(statement)}
    missing = [run_id for run_id in run_ids if run_id not in found]
    if missing:
        raise NotFoundError(f"there is no run {one_of(missing)}")
    return [found[run_id] for run_id in run_ids]


def _read_results(
    store: Store, runs: Sequence[Row[Any]], wanted: Collection[str]
) -> tuple[dict[str, list[Any]], list[Row[Any]]]:
    """The values of each column, and the run that each row belongs to."""
    values: dict[str, list[Any]] = {name: [] for name in RESULT_COLUMNS}
    stored = [
        name
        for name in _STORED
        if name in wanted or (name == "conversation" and "input" in wanted)
    ]
    run_of: list[Row[Any]] = []
    for run in runs:
        rows = store.read(_results_of(run, stored))
        run_of.extend([run] * len(rows))
        known = dict(zip(stored, zip(*rows, strict=True), strict=True)) if rows else {}
        known["input"] = _inputs(known.pop("input", ()), known.get("conversation", ()))
        known["cost_usd"] = [c and float(c) for c in known.pop("cost_usd", ())]
        known["experiment_id"] = [run.experiment_id] * len(rows)
        known["provider"] = [run.provider] * len(rows)
        known["model"] = [f"{run.provider}/{run.model}"] * len(rows)
        for name, column_values in values.items():
            column_values.extend(known.get(name, ()))
    return values, run_of


def _results_of(run: Row[Any], stored: Sequence[str]) -> Select[Any]:
    member = and_(
        MEMBERS.c.dataset == run.dataset, MEMBERS.c.sample_id == RESULTS.c.sample_id
    )
    return (
        select(*(_STORED[name] for name in stored))
        .select_from(RESULTS)
        .outerjoin(MEMBERS, member)
        .outerjoin(SAMPLES, SAMPLES.c.key == MEMBERS.c.sample_key)
        .where(RESULTS.c.run_id == run.id)
        .order_by(MEMBERS.c.position, RESULTS.c.sample_id, RESULTS.c.epoch)
    )


def _read_scores(
    store: Store, runs: Sequence[Row[Any]]
) -> dict[str, dict[Key, float | None]]:
    """Each scorer's values: those of the tasks in their order, then later ones."""
    texts = dict.fromkeys(text for run in runs for text in run.task["scorers"])
    planned = [parse_spec(text).name for text in texts]
    statement = select(
        SCORES.c.scorer,
        SCORES.c.run_id,
        SCORES.c.sample_id,
        SCORES.c.epoch,
        SCORES.c.value,
    ).where(SCORES.c.run_id.in_([run.id for run in runs]))
    found: dict[str, dict[Key, float | None]] = {}
    for scorer, run_id, sample_id, epoch, value in map(tuple, store.read(statement)):
        found.setdefault(scorer, {})[run_id, sample_id, epoch] = value
    names = dict.fromkeys([*planned, *sorted(found)])
    return {name: found.get(name, {}) for name in names}


def _inputs(texts: Sequence[str], conversations: Sequence[bool]) -> list[str]:
    """The inputs as text; the same conversation is read once."""
    last_turn = cache(_last_turn)
    pairs = zip(texts, conversations, strict=True)
    return [last_turn(text) if turns else text for text, turns in pairs]


def _last_turn(conversation: str) -> str:
    turns = tuple(Message(**turn) for turn in json.loads(conversation))
    return Sample(id="", input=turns).input_text


def _metrics_of(run: RunRecord, results: pd.DataFrame) -> list[str]:
    """The scorers of a run: those of its experiment, and those that scored nothing."""
    own = results["experiment_id"] == run.experiment_id
    scored = results.filter(regex=f"^{SCORE}").notna()
    return [
        str(name)[len(SCORE) :]
        for name in scored
        if scored[name][own].any() or not scored[name].any()
    ]


def _metric(scorer: str, answers: pd.DataFrame, level: float) -> dict[str, Any]:
    name = f"{SCORE}{scorer}"
    scored = answers[answers[name].notna()]
    metric = score_metric(scored[name], scored["sample_id"], scored["group"], level)
    return {"metric": scorer, **metric.model_dump()}


def _counts(answers: pd.DataFrame) -> dict[str, Any]:
    sums = ("input_tokens", "output_tokens", "cost_usd")
    return {
        "failed": int(answers["error_type"].notna().sum()),
        **{name: answers[name].sum(min_count=1) for name in sums},
    }


def _times(answers: pd.DataFrame) -> dict[str, float | None]:
    done = answers[answers["error_type"].isna()]
    durations, first_tokens = done["duration_s"], done["time_to_first_token_s"]
    return {
        "duration_p50_s": _percentile(durations, 50),
        "duration_p95_s": _percentile(durations, 95),
        "duration_p99_s": _percentile(durations, 99),
        "ttft_p50_s": _percentile(first_tokens, 50),
        "ttft_p95_s": _percentile(first_tokens, 95),
        "tokens_per_s": _speed(done),
        "queue_p50_s": _percentile(answers["queue_s"], 50),
    }


def _percentile(seconds: "pd.Series[float]", q: float) -> float | None:
    return percentile(seconds.dropna().to_numpy(), q)


def _speed(answers: pd.DataFrame) -> float | None:
    known = answers[["output_tokens", "duration_s"]].dropna()
    seconds = float(known["duration_s"].sum())
    return float(known["output_tokens"].sum()) / seconds if seconds else None
