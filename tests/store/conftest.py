"""A store with one experiment of one run, and results to put into it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aistrale_lab.domain.chat import Completion, FinishReason, GenerateConfig, Usage
from aistrale_lab.domain.runs import RunSpec, SampleResult, Timing
from aistrale_lab.domain.tasks import Dataset, ModelRef, Sample, Task
from aistrale_lab.store.results import Store

RUN = "run00000000001"
EXPERIMENT = "exp00000000001"

MakeResult = Callable[..., SampleResult]
"""Makes a result of the run; keywords change its fields."""


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """A store that is not there yet: of each kind, for what both promise."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def task() -> Task:
    samples = tuple(Sample(id=f"s{n}", input=f"{n}?", target="4") for n in range(10))
    return Task(dataset=Dataset(name="tiny", samples=samples), scorers=("number",))


def add_run(store: Store, task: Task) -> None:
    store.add_experiment(
        experiment_id=EXPERIMENT,
        name="tiny",
        identity="same",
        task=task,
        runs=[
            RunSpec(
                run_id=RUN,
                experiment_id=EXPERIMENT,
                model=ModelRef.parse("openai/small"),
                config=GenerateConfig(),
            )
        ],
        provenance={},
        tags={},
    )


@pytest.fixture
def store(url: str, task: Task) -> Iterator[Store]:
    store = Store.open(url)
    add_run(store, task)
    yield store
    store.close()


def make_result(
    sample_id: str = "s0", text: str = "4", **changes: object
) -> SampleResult:
    fields = {
        "run_id": RUN,
        "sample_id": sample_id,
        "completion": Completion(
            text=text,
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=3, output_tokens=1),
            raw="{}",
        ),
        "timing": Timing(duration=0.5, queue=0.0),
        "started_at": datetime.now(UTC),
    }
    return SampleResult.model_validate({**fields, **changes})


def make_failure(sample_id: str = "s0", *, transient: bool = True) -> SampleResult:
    return make_result(
        sample_id,
        completion=None,
        error_type="ServerError" if transient else "InvalidRequestError",
        error="bad",
        error_transient=transient,
    )
