"""A comparison as people read it: a table of differences, and sentences that sum it up."""

from collections.abc import Sequence
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column

NAMES = {
    "duration_s": "latency",
    "time_to_first_token_s": "TTFT",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost_usd": "cost",
}
"""How measures are called in tables; scores keep their names."""

METHODS = {
    "paired_t": "paired t",
    "clustered_t": "clustered t",
    "score": "score",
    "score_groups": "score",
}

Compared = dict[str, Any]
"""One metric of the contract's JSON object."""


def compare_columns(found: dict[str, Any]) -> list[Column]:
    """One row per metric that both runs have: two means, and how far they are apart."""
    metrics = {name: one for name, one in found["metrics"].items() if one["n"]}
    shown = [figures.compared(name, one) for name, one in metrics.items()]
    rows = list(metrics.values())
    titles = [NAMES.get(name, name) for name in metrics]
    return [
        Column("candidate minus baseline", titles, numeric=False),
        Column("baseline", [cells.baseline for cells in shown]),
        Column("candidate", [cells.candidate for cells in shown]),
        Column("difference", [cells.difference for cells in shown]),
        Column("95 %\ninterval", [cells.interval for cells in shown]),
        Column("more", [figures.count(one["wins"]) for one in rows]),
        Column("less", [figures.count(one["losses"]) for one in rows]),
        Column("same", [figures.count(one["ties"]) for one in rows]),
        Column("pairs", [figures.count(one["n"]) for one in rows]),
        Column("method", [METHODS[one["method"]] for one in rows], numeric=False),
        Column("p", [figures.probability(p_value(one)) for one in rows]),
    ]


def p_value(compared: Compared) -> float | None:
    """The p-value that stands in the table: McNemar's where it applies."""
    for test in ("mcnemar", "permutation"):
        if test in compared["tests"]:
            return float(compared["tests"][test]["p_value"])
    return None


def verdicts(found: dict[str, Any]) -> list[str]:
    """A sentence for each score: which run is better, or that it cannot be told."""
    return [
        _verdict(found, name, one)
        for name, one in found["metrics"].items()
        if name not in NAMES and one["n"]
    ]


def speed_verdict(found: dict[str, Any]) -> str:
    """A sentence on who answers sooner, or that it cannot be told."""
    duration = found["metrics"]["duration_s"]
    cells = figures.compared("duration_s", duration)
    low, high = duration["ci_low"], duration["ci_high"]
    candidate, baseline = _called(found)
    told = f"{cells.difference} {cells.interval}".rstrip()
    if low is None or high is None or low <= 0 <= high:
        return f"{candidate} and {baseline} cannot be told apart on latency: {told}"
    sides = [(candidate, cells.candidate), (baseline, cells.baseline)]
    (faster, less), (_, more) = sides[::-1] if low > 0 else sides
    return f"{faster} answers sooner: {less} against {more}, a difference of {told}"


def _verdict(found: dict[str, Any], name: str, compared: Compared) -> str:
    cells = figures.compared(name, compared)
    low, high = compared["ci_low"], compared["ci_high"]
    candidate, baseline = _called(found)
    told = f"{cells.difference} {cells.interval}"
    if low is None or high is None or low <= 0 <= high:
        return f"{candidate} and {baseline} cannot be told apart on {name}: {told}"
    how = "higher" if low > 0 else "lower"
    cost = _cost(found["cost_ratio"])
    return f"{candidate} scores {how} than {baseline} on {name}: {told}{cost}"


def _called(found: dict[str, Any]) -> tuple[str, str]:
    """What the candidate and the baseline are called in a sentence."""
    models = found["candidate_model"], found["baseline_model"]
    return models if models[0] != models[1] else ("the candidate", "the baseline")


def _cost(ratio: float | None) -> str:
    return "" if ratio is None else f", at {100 * ratio:.0f} % of the cost"


def dropped_lines(dropped: dict[str, int]) -> Sequence[str]:
    """Why samples have no pair."""
    words = {
        "missing_baseline": "are missing in the baseline",
        "missing_candidate": "are missing in the candidate",
        "failed_baseline": "failed in the baseline",
        "failed_candidate": "failed in the candidate",
        "failed_both": "failed in both",
    }
    return [f"{n:,} {words[why]}; no pair" for why, n in dropped.items() if n]
