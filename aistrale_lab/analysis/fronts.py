"""Which runs nobody beats in quality, cost and time together, and how sure that is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aistrale_lab.analysis.alignment import align, answering_runs
from aistrale_lab.analysis.columns import (
    COUNT,
    FLAG,
    FLOAT,
    RESULT_COLUMNS,
    SCORE,
    TEXT,
)
from aistrale_lab.analysis.compare import DRAWS
from aistrale_lab.analysis.pareto import FrontPlace, front
from aistrale_lab.analysis.run_tables import get_metric, model_names, typed_frame
from aistrale_lab.errors import ValidationError
from aistrale_lab.store.records import RunRecord

AGAINST = ("cost_usd", "time_to_first_token_s")
"""What quality is weighed against: less of each is better."""

MOSTLY = 0.5
"""A measure that a smaller share of the answers has would leave too few of them."""


def pareto_df(
    results: pd.DataFrame,
    runs: Sequence[RunRecord],
    metric: str | None = None,
    *,
    against: Sequence[str] = AGAINST,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per run: means of quality and costs, and its place on the Pareto front.

    All are means over the `n` samples and epochs that every run answered with all these
    values known. `probability` is the share of bootstrap draws in which the run is on
    the front. A measure of `against` that fewer than MOSTLY of them have for all runs
    is missing in all rows, and named in `left_out`. A run without any answer has a row
    of missing values. Raises ValidationError for fewer than two runs with answers, an
    unknown metric or measure, and if no measure is left to weigh quality against.
    """
    unknown = [name for name in against if name not in RESULT_COLUMNS]
    if unknown or not against:
        raise ValidationError(
            f"quality is weighed against columns of results, such as "
            f"{' and '.join(AGAINST)}, not {', '.join(unknown) or 'nothing'}"
        )
    metric = get_metric(results, metric)
    scorer = f"{SCORE}{metric}"
    answering, silent = answering_runs(results, runs, scorer)
    kept = _known(results, answering, scorer, against)
    if not kept:
        raise ValidationError(
            f"nothing to weigh {metric!r} against: {' and '.join(against)} are not "
            "known of the same answers of all runs"
        )
    aligned = align(results, answering, [scorer, *kept])
    places = front(
        aligned.values(results[scorer]),
        [aligned.values(results[name]) for name in kept],
        aligned.clusters,
        draws=draws,
        seed=seed,
    )
    left_out = ", ".join(name for name in against if name not in kept) or None
    n = len(aligned.places)
    found = {
        run.id: {"n": n, **_row(place, kept)}
        for run, place in zip(answering, places, strict=True)
    }
    found |= {run.id: {"n": 0} for run in silent}
    rows = [
        {"run_id": run.id, "model": name, "left_out": left_out, **found[run.id]}
        for run, name in zip(runs, model_names(runs), strict=True)
    ]
    return typed_frame(rows, _columns(against))


def _known(
    results: pd.DataFrame,
    runs: Sequence[RunRecord],
    scorer: str,
    against: Sequence[str],
) -> list[str]:
    """The measures that most of what the runs share has, all of them together."""
    aligned = align(results, runs, [scorer])
    shared = np.ones(len(aligned.places), dtype=np.bool_)
    kept = []
    for name in against:
        values = aligned.values(results[name])
        together = shared & ~np.isnan(values).any(axis=1)
        if together.mean() >= MOSTLY:
            kept.append(name)
            shared = together
    return kept


def _row(place: FrontPlace, kept: Sequence[str]) -> dict[str, Any]:
    return {
        "quality": place.quality,
        **dict(zip(kept, place.costs, strict=True)),
        "on_front": place.on_front,
        "probability": place.probability,
    }


def _columns(against: Sequence[str]) -> Mapping[str, str]:
    return {
        "run_id": TEXT,
        "model": TEXT,
        "quality": FLOAT,
        **{name: FLOAT for name in against},
        "on_front": FLAG,
        "probability": FLOAT,
        "n": COUNT,
        "left_out": TEXT,
    }
