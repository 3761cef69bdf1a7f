"""Tables for people, on a terminal or in a notebook, made from the JSON objects."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.logs import visible

Run = dict[str, Any]
"""A run's JSON object."""

STYLES = {"running": "cyan", "interrupted": "yellow", "failed": "red"}


@dataclass(frozen=True, slots=True)
class Column:
    """A heading (its second line is the unit) and one text for each row."""

    heading: str
    cells: Sequence[str]
    numeric: bool = True
    styles: Sequence[str] = ()

    @property
    def label(self) -> str:
        """The heading in one line."""
        return self.heading.replace("\n", " ").strip()


def summary_columns(runs: Sequence[Run]) -> list[Column]:
    """One row per run: who, how good, how sure, how many, how much, how fast."""
    columns = quality_columns(runs)
    return [*columns, *_tokens(runs), *_times(runs), _cost(runs)]


def quality_columns(runs: Sequence[Run]) -> list[Column]:
    """One row per run: who, how good, how sure, how many."""
    columns = who_columns(runs)
    if any(run["status"] != "completed" for run in runs):
        columns.append(_status(runs))
    return [*columns, *_metrics(runs), _failed(runs)]


def time_columns(runs: Sequence[Run]) -> list[Column]:
    """One row per run: who, and how fast."""
    return [*who_columns(runs), *_times(runs)]


def cost_columns(runs: Sequence[Run]) -> list[Column]:
    """One row per run: who, how many tokens, what they cost."""
    return [*who_columns(runs), *_tokens(runs), _cost(runs)]


def who_columns(runs: Sequence[Run]) -> list[Column]:
    """The model, and the swept parameters if there are any."""
    return [Column("model", _each(runs, "model"), numeric=False), *_parameters(runs)]


def list_columns(runs: Sequence[Run]) -> list[Column]:
    """One row per run of the store."""
    done = [figures.share(run["completed"], run["samples"]) for run in runs]
    columns = [
        Column("run", _each(runs, "run_id"), numeric=False),
        Column("experiment", _each(runs, "experiment_id"), numeric=False),
        Column("name", _each(runs, "name"), numeric=False),
        Column("model", _each(runs, "model"), numeric=False),
        *_parameters(runs),
        _status(runs),
        Column("completed", done),
        _failed(runs),
        Column("created", [minute(run["created_at"]) for run in runs], numeric=False),
    ]
    return columns


def _each(runs: Sequence[Run], field: str) -> list[str]:
    return [_one_line(run[field]) for run in runs]


def _one_line(value: Any) -> str:
    return visible(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _parameters(runs: Sequence[Run]) -> list[Column]:
    """The swept parameters, if there are any."""
    names = dict.fromkeys(name for run in runs for name in run["params"])
    return [
        Column(_one_line(name), [_shown(run["params"].get(name)) for run in runs], True)
        for name in names
    ]


def _shown(value: Any) -> str:
    return figures.UNKNOWN if value is None else _one_line(value)


def _status(runs: Sequence[Run]) -> Column:
    states = _each(runs, "status")
    styles = [STYLES.get(state, "") for state in states]
    return Column("status", states, numeric=False, styles=styles)


def _metrics(runs: Sequence[Run]) -> list[Column]:
    """Each metric with its interval; n/N once if it is the same for all of them."""
    names = dict.fromkeys(name for run in runs for name in run["metrics"])
    columns = []
    for name in names:
        shown = [
            figures.metric(
                run["metrics"].get(name),
                binary=run["denominators"].get(name, {}).get("binary", False),
            )
            for run in runs
        ]
        columns.append(Column(_one_line(name), [value for value, _ in shown]))
        columns.append(Column("95 %\ninterval", _aligned(i for _, i in shown)))
        if not _same_n(runs):
            columns.append(Column("n/N", _scored(runs, name)))
    if _same_n(runs):
        first = next(iter(names), None)
        columns.append(Column("n/N", _scored(runs, first)))
    return columns


def _same_n(runs: Sequence[Run]) -> bool:
    return all(len({m["n"] for m in run["metrics"].values()}) <= 1 for run in runs)


def _scored(runs: Sequence[Run], metric: str | None) -> list[str]:
    """How many of the planned samples the metric stands on."""
    return [
        figures.share(
            run["completed"] if metric is None else _n(run, metric), run["samples"]
        )
        for run in runs
    ]


def _n(run: Run, metric: str) -> int:
    return int(run["metrics"].get(metric, {"n": 0})["n"])


def _aligned(intervals: Iterable[str]) -> list[str]:
    """Intervals whose two bounds stand below each other."""
    bounds = [interval.strip("[]").split(", ") for interval in intervals]
    low = max((len(pair[0]) for pair in bounds), default=0)
    high = max((len(pair[-1]) for pair in bounds), default=0)
    return [
        f"[{pair[0]:>{low}}, {pair[1]:>{high}}]" if len(pair) == 2 else ""
        for pair in bounds
    ]


def _failed(runs: Sequence[Run]) -> Column:
    styles = ["bold red" if run["failed"] else "dim" for run in runs]
    return Column("failed", [figures.count(r["failed"]) for r in runs], styles=styles)


def _tokens(runs: Sequence[Run]) -> list[Column]:
    def sums(name: str) -> list[str]:
        return [
            figures.count(run["usage"][name], at_least=run["usage"]["unknown"] > 0)
            for run in runs
        ]

    return [
        Column("tokens\nin", sums("input_tokens")),
        Column("tokens\nout", sums("output_tokens")),
    ]


def _times(runs: Sequence[Run]) -> list[Column]:
    def of(name: str, quantile: str) -> list[float | None]:
        return [run["latency"][name][quantile] for run in runs]

    unit, first = figures.seconds(of("time_to_first_token_s", "p50"))
    durations = of("duration_s", "p50") + of("duration_s", "p95")
    long_unit, both = figures.seconds(durations)
    return [
        Column(f"TTFT\np50 {unit}", first),
        Column(f"latency\np50 {long_unit}", both[: len(runs)]),
        Column(f"latency\np95 {long_unit}", both[len(runs) :]),
        Column("tokens\nper s", [figures.rate(run["tokens_per_s"]) for run in runs]),
    ]


def _cost(runs: Sequence[Run]) -> Column:
    known: Callable[[Run], bool] = lambda run: run["usage"]["unknown"] > 0
    amounts = [run["cost_usd"] for run in runs]
    return Column("cost", figures.dollars(amounts, at_least=map(known, runs)))


def minute(moment: str) -> str:
    """A moment in the reader's own time zone, to the minute."""
    from datetime import datetime

    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
