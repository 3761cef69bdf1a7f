"""What a run has so far, counted by the database: for whoever only looks on."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import Float, case, cast, func, select

from aistrale_lab.domain.values import Value
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS

_CENTS = Decimal("0.000001")
"""The database sums costs in floating point: for the eye, not for the books."""


class Tally(Value):
    """Rows of a run, the failed ones among them, output tokens and known cost (USD)."""

    rows: int = 0
    failed: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None


def count_runs(store: Store, run_ids: Sequence[str]) -> dict[str, Tally]:
    """The tally of each run; of one without rows, zeros."""
    failed = func.sum(case((RESULTS.c.error_type.is_not(None), 1), else_=0))
    statement = (
        select(
            RESULTS.c.run_id,
            func.count(),
            failed,
            func.sum(RESULTS.c.output_tokens),
            func.sum(cast(RESULTS.c.cost_usd, Float)),
        )
        .where(RESULTS.c.run_id.in_(list(run_ids)))
        .group_by(RESULTS.c.run_id)
    )
    found = {
        run_id: Tally(
            rows=rows,
            failed=failures or 0,
            output_tokens=tokens or 0,
            cost=None if cost is None else Decimal(cost).quantize(_CENTS),
        )
        for run_id, rows, failures, tokens, cost in map(tuple, store.read(statement))
    }
    return {run_id: found.get(run_id, Tally()) for run_id in run_ids}


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """Tallies as one; the cost is that of the runs whose cost is known."""
    listed = list(tallies)
    costs = [one.cost for one in listed if one.cost is not None]
    return Tally(
        rows=sum(one.rows for one in listed),
        failed=sum(one.failed for one in listed),
        output_tokens=sum(one.output_tokens for one in listed),
        cost=sum(costs, Decimal(0)) if costs else None,
    )


def last_errors(store: Store, run_id: str, most: int) -> list[str]:
    """The newest errors of a run, oldest first: `sample: type: message`."""
    statement = (
        select(RESULTS.c.sample_id, RESULTS.c.error_type, RESULTS.c.error)
        .where(RESULTS.c.run_id == run_id, RESULTS.c.error_type.is_not(None))
        .order_by(RESULTS.c.id.desc())
        .limit(most)
    )
    rows = store.read(statement)
    return [f"{sample}: {kind}: {error}" for sample, kind, error in map(tuple, rows)][
        ::-1
    ]
