"""What must hold before more is sent for a run that exists already."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aistrale_lab.domain.chat import GenerateConfig
from aistrale_lab.domain.runs import RunSpec, RunStatus
from aistrale_lab.domain.tasks import Dataset, ModelRef, Task
from aistrale_lab.domain.values import fingerprint
from aistrale_lab.engine.datasets import reload
from aistrale_lab.errors import ConfigError, LabError
from aistrale_lab.lab.endpoints import recorded_url
from aistrale_lab.lab.plan import LanePlan, expand_sweep
from aistrale_lab.runners.recordings import RecordedAnswer, load_records
from aistrale_lab.store.records import ExperimentRecord, RunRecord
from aistrale_lab.store.results import Store

AGAIN = "start a new run instead"

SettingsOf = Callable[[RunRecord], GenerateConfig]
"""The settings that a stored run goes on with; raises ConfigError if it may not."""


def check_source(dataset: Dataset) -> None:
    """Refuse to go on if the dataset's file says something else by now.

    A file that is gone does not matter: the samples are in the store. Raises
    ConfigError.
    """
    source = dataset.source
    if source is None or not Path(str(source["path"])).exists():
        return
    try:
        now = reload(source).fingerprint
    except LabError as error:
        raise ConfigError(
            f"the dataset changed since the run began: {error.message}; {AGAIN}"
        ) from None
    if now != dataset.fingerprint:
        raise ConfigError(
            f"the dataset {source['path']} changed since the run began "
            f"({dataset.fingerprint[:12]} then, {now[:12]} now); {AGAIN}"
        )


def check_unchanged(runs: Sequence[RunRecord], plans: Sequence[LanePlan]) -> None:
    """Refuse to go on if a model's calls would go elsewhere; raises ConfigError."""
    for run, plan in zip(runs, plans, strict=True):
        now = recorded_url(plan.endpoint)
        if now != run.base_url:
            raise ConfigError(
                f"the base URL of {run.model} changed since the run began: "
                f"{run.base_url} then, {now} now; {AGAIN}"
            )


def check_not_another(store: Store, name: str, task: Task, owner: str | None) -> None:
    """An unfinished experiment of that name must not silently become another."""
    earlier = store.find_experiment_named(name, owner)
    if earlier is None:
        return
    runs = store.runs_of(earlier.id)
    if all(run.status is RunStatus.COMPLETED for run in runs):
        return
    old = store.load_task(earlier.id).parts()
    changed = [part for part, value in task.parts().items() if old[part] != value]
    if changed:
        raise ConfigError(
            f"the unfinished experiment {earlier.id} {name!r} differs in "
            f"{', '.join(changed)}; fresh=True starts a new one, or give it "
            "another name"
        )


def check_is_asked(
    earlier: ExperimentRecord,
    runs: Sequence[RunRecord],
    task: Task,
    models: Sequence[ModelRef],
) -> None:
    """An experiment that was pushed may say that it is another; raises ConfigError."""
    stored = Task.model_validate({**earlier.task, "dataset": task.dataset})
    same = earlier.dataset == task.dataset.fingerprint
    same = same and stored.fingerprint == task.fingerprint
    configs = [_print(config) for _, config in expand_sweep(task)]
    asked = {(str(ref), one) for ref in models for one in configs}
    planned = {(run.model, _print(stored_settings(run))) for run in runs}
    if not (same and planned <= asked):
        raise ConfigError(
            f"the experiment {earlier.id} says that it asks the same, and asks "
            "something else; fresh=True starts a new one"
        )


def _print(config: GenerateConfig) -> str:
    return fingerprint(config.model_dump(mode="json", exclude_none=True))


def stored_settings(run: RunRecord) -> GenerateConfig:
    """The settings that a run was planned with."""
    return GenerateConfig(**run.config)


def spec_of(run: RunRecord, settings: SettingsOf) -> RunSpec:
    """The run as it was planned, with its settings as they may be sent."""
    return RunSpec(
        run_id=run.id,
        experiment_id=run.experiment_id,
        model=ModelRef(provider=run.provider, model=run.model_name),
        config=settings(run),
        params=run.params,
        base_url=run.base_url,
        stream=run.stream,
    )


def replay_records(
    where: str, store: Store
) -> Mapping[tuple[str, int], RecordedAnswer]:
    """The answers that `replay/WHERE` gives: a file's, or those of a stored run.

    `WHERE` is `FILE.jsonl`, `FILE.jsonl#MODEL` or a run's id.
    """
    name, _, model = where.partition("#")
    path = Path(name).expanduser()
    if path.suffix or path.exists():
        return load_records(path, model=model or None)
    run = store.get_run(name)
    return {
        (row.sample_id, row.epoch): _recorded(row) for row in store.result_rows(run.id)
    }


def _recorded(row: Any) -> RecordedAnswer:
    known = [name for name in _FIELDS if name in row._fields]
    return RecordedAnswer(**{name: getattr(row, name) for name in known})


_FIELDS = tuple(field.name for field in dataclasses.fields(RecordedAnswer))
