"""What a user may have the bench run: nothing that reads the server's files, nothing
without limit, and no provider but the server's own.
"""

from math import prod
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from aistrale_lab.domain.chat import GenerateConfig
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Sample, Task
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.lab.plan import configure
from aistrale_lab.scorers.base import parse_spec
from aistrale_lab.server.allowed import (
    check_contents,
    check_model,
    limited,
    providers_of,
)
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.shapes import Asked
from aistrale_lab.store.listing import is_seen
from aistrale_lab.store.records import RunRecord

Fingerprint = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
"""What a stored dataset is named by."""

MOST_SAMPLES = 100_000
MOST_CALLS = 1_000_000
"""Samples x epochs x models x points of the sweep."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request that may hold a dataset."""


class AskedDataset(Asked):
    """A dataset with its samples."""

    name: str = Field(min_length=1, max_length=200)
    samples: tuple[Sample, ...] = Field(min_length=1, max_length=MOST_SAMPLES)


class AskedTask(Asked):
    """A task, whose dataset comes along, or is named by the fingerprint of a stored one."""

    dataset: AskedDataset | Fingerprint
    prompt: PromptTemplate = PromptTemplate()
    config: GenerateConfig = GenerateConfig()
    scorers: tuple[str, ...] = Field(default=(), max_length=50)
    epochs: int = Field(default=1, ge=1, le=1000)
    sweep: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    name: str = Field(default="", max_length=200)


class AskedRuns(Asked):
    """A task, and whom to ask how; `options` are those of `RunOptions`."""

    task: AskedTask
    models: tuple[str, ...] = Field(min_length=1, max_length=100)
    options: dict[str, Any] = Field(default_factory=dict)
    name: str | None = Field(default=None, min_length=1, max_length=200)


def task_of(asked: AskedRuns, request: Request) -> Task:
    """The task, within what the server allows; raises ValidationError or NotFoundError."""
    task = Task(
        dataset=_dataset_of(asked.task, request),
        **{name: getattr(asked.task, name) for name in _PLAIN},
    )
    task = within_limit(task, request)
    lanes = len(asked.models) * prod(map(len, task.sweep.values()))
    check_allowed(task, asked.models, request, lanes=lanes)
    return task


def within_limit(task: Task, request: Request) -> Task:
    """The task, with the server's limit of tokens where it says none itself."""
    most = request.app.state.settings.max_tokens
    return task.model_copy(update={"config": limited(task.config, most)})


def check_allowed(
    task: Task, models: tuple[str, ...], request: Request, *, lanes: int
) -> None:
    """Raise ValidationError for what a user may not have the bench run."""
    providers = providers_of(request.app.state.bench.settings)
    most = request.app.state.settings.max_tokens
    for model in models:
        check_model(model, providers)
    for text in task.scorers:
        check_scorer(text)
    check_contents(task.prompt.shots)
    for sample in task.dataset:
        if not isinstance(sample.input, str):
            check_contents(sample.input)
    calls = prod((len(task.dataset), task.epochs, lanes))
    if calls > MOST_CALLS:
        raise ValidationError(f"{calls:,} calls are asked; {MOST_CALLS:,} are allowed")
    for name, values in task.sweep.items():
        for value in values:
            _check_point(task.config, name, value, most)


def settings_of(run: RunRecord, request: Request) -> GenerateConfig:
    """What a stored run may be gone on with: anybody may have pushed it.

    Raises ValidationError for what a user may not have the bench run.
    """
    settings = request.app.state.bench.settings
    check_model(run.model, providers_of(settings))
    most = request.app.state.settings.max_tokens
    try:
        return limited(GenerateConfig(**run.config), most)
    except ValidationError as error:
        raise ValidationError(f"run {run.id}: {error.message}") from None


def check_scorer(text: str) -> None:
    """Refuse a scorer that reads a file of the server's; raises ValidationError."""
    spec = parse_spec(text)
    if spec.scorer == "json" and spec.argument not in (None, "valid"):
        raise ValidationError("scorers: json here takes no file, only json:valid")


def _check_point(config: GenerateConfig, name: str, value: Any, most: int) -> None:
    """Refuse what a call may not ask, said by the sweep."""
    point = configure(config, {name: value})
    try:
        within = limited(point, most)
    except ValidationError as error:
        raise ValidationError(f"sweep.{name}: {error.message}") from None
    if within != point:
        raise ValidationError(f"sweep.{name}: say how many tokens, at most {most}")


def _dataset_of(asked: AskedTask, request: Request) -> Dataset:
    store = request.app.state.bench.store
    if isinstance(asked.dataset, AskedDataset):
        return Dataset(name=asked.dataset.name, samples=asked.dataset.samples)
    if not is_seen(store, caller_of(request).viewer, asked.dataset):
        raise NotFoundError(f"there is no dataset {asked.dataset!r}")
    found: Dataset = store.load_dataset(asked.dataset)
    return found


_PLAIN = ("prompt", "config", "scorers", "epochs", "sweep", "name")
