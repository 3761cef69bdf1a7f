"""`python tests/bench/results_table.py [ROWS]`: a results table over many answers.

Makes a store of two runs with so many results, then prints seconds and the bytes of
the widget's state for the first rows, for sorting, searching, filtering and opening.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aistrale_lab.domain.chat import Completion, FinishReason, GenerateConfig, Usage
from aistrale_lab.domain.runs import (
    RunSpec,
    RunStatus,
    SampleResult,
    SampleScore,
    Score,
    Timing,
)
from aistrale_lab.domain.tasks import Dataset, ModelRef, Sample, Task
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import SCORES, score_row, write_results
from aistrale_lab.widgets.results_table import ResultsTable

ROWS = 100_000
GROUP = 5_000
MODELS = ("openai/small", "openai/large")


def fill(store: Store, rows: int) -> str:
    """An experiment of two runs; answers of 400 characters, payloads of 1,500."""
    samples = tuple(
        Sample(id=f"q{n}", input=f"What is {n} + {n}? " * 5, target=str(2 * n))
        for n in range(rows // len(MODELS))
    )
    task = Task(dataset=Dataset(name="many", samples=samples), scorers=("number",))
    specs = [
        RunSpec(
            run_id=f"run{n:011}",
            experiment_id="exp00000000001",
            model=ModelRef.parse(model),
            config=GenerateConfig(),
        )
        for n, model in enumerate(MODELS)
    ]
    store.add_experiment(
        experiment_id="exp00000000001",
        name="many",
        identity="many",
        task=task,
        runs=specs,
        provenance={},
        tags={},
    )
    for spec in specs:
        for start in range(0, len(samples), GROUP):
            write(store, spec.run_id, samples[start : start + GROUP])
        store.end_run(spec.run_id, RunStatus.COMPLETED, None)
    return "exp00000000001"


def write(store: Store, run_id: str, samples: tuple[Sample, ...]) -> None:
    """Results and scores of a few samples, in one transaction."""
    found = [make_result(run_id, n, sample) for n, sample in enumerate(samples)]
    scores = [
        score_row(
            run_id,
            SampleScore(
                sample_id=one.sample_id,
                epoch=1,
                scorer="number",
                score=Score(value=float(n % 3 == 0)),
            ),
        )
        for n, one in enumerate(found)
    ]

    def put(connection: Any) -> None:
        write_results(connection, found)
        connection.execute(SCORES.insert(), scores)

    store.recorder.call(put).result()


def make_result(run_id: str, n: int, sample: Sample) -> SampleResult:
    """An answer of usual length."""
    text = f"The answer is {n}, because of what was said before. " * 8
    return SampleResult(
        run_id=run_id,
        sample_id=sample.id,
        epoch=1,
        completion=Completion(
            text=text,
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=20, output_tokens=n % 90),
            raw=json.dumps({"text": text, "padding": "x" * 1_000}),
        ),
        timing=Timing(duration=0.5 + (n * 7919 % 1000) / 500),
        attempts=1,
        started_at=datetime.now(UTC),
    )


def timed(name: str, work: Any) -> Any:
    """Do it, and say how long it took."""
    began = time.perf_counter()
    made = work()
    print(f"{name:<34} {time.perf_counter() - began:6.2f} s")
    return made


def main() -> None:
    """Print a line for each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder)}/store.db")
        which = timed(f"made {rows:,} results", lambda: fill(store, rows))
        table = timed("first rows", lambda: ResultsTable(Experiment(store, which)))
        print(f"{'first state':<34} {len(json.dumps(table.state)):6,} bytes")
        for column in ("duration_s", "score_number", "output", "input", "model"):
            asked = {"act": "query", "sort": column, "descending": True}
            timed(f"sorted by {column}", lambda asked=asked: table.act(asked))
        timed("last page", lambda: table.act({"act": "query", "offset": rows - 25}))
        timed("search", lambda: table.act({"act": "query", "search": "is 4999 +"}))
        wrong = {"act": "query", "search": "", "outcome": "wrong", "scorer": "number"}
        timed("wrong ones", lambda: table.act(wrong))
        run_id, sample_id, epoch = table.state["keys"][0]
        key = {"run_id": run_id, "sample_id": sample_id, "epoch": epoch}
        timed("opened", lambda: table.act({"act": "open", **key}))
        store.close()


if __name__ == "__main__":
    main()
