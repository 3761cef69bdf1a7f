"""Two runs of a store, read and compared."""

from typing import TYPE_CHECKING, Any

from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store

if TYPE_CHECKING:
    from aistrale_lab.analysis.compare import Comparison


def compare_runs(
    store: Store, baseline: RunRecord, candidate: RunRecord, **how: Any
) -> "Comparison":
    """Candidate minus baseline; `how` is `anyway`, `level`, `draws` and `seed`."""
    from aistrale_lab.analysis.compare import compare
    from aistrale_lab.analysis.frames import results_df
    from aistrale_lab.analysis.pairing import USED

    runs = baseline, candidate
    results = [results_df(store, [run.id], USED) for run in runs]
    asked = [store.get_experiment(run.experiment_id) for run in runs]
    before, after = zip(runs, asked, results, strict=True)
    first, second = (store.system_fingerprints(run.id) for run in runs)
    return compare(before, after, fingerprints=(first, second), **how)
