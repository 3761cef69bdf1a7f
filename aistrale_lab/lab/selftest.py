"""Are our times true? The same run that users make, against a server that knows."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.engine.thread import wait
from aistrale_lab.errors import StoreError, ValidationError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.settings import ProviderSettings, load_settings

if TYPE_CHECKING:
    import pandas as pd

PROVIDER = "timed"

Times = tuple[float, float, float]
"""Seconds to the first token, between tokens, and in all."""


@dataclass(frozen=True, slots=True)
class Bias:
    """How much longer a time is in our results than it was, in seconds.

    `true_median` is what the server says, the others are of the differences.
    """

    name: str
    true_median: float
    median: float
    p5: float
    p95: float


@dataclass(frozen=True, slots=True)
class LatencySelfTest:
    """The biases of all times, over so many `calls`.

    `lagged` counts the answers that are flagged, since our own loop was late then.
    """

    calls: int
    concurrency: int
    lagged: int
    biases: tuple[Bias, ...]


def latency_selftest(
    *,
    ttft: float = 0.12,
    itl: float = 0.008,
    concurrency: int = 64,
    calls: int = 512,
    tokens: int = 20,
) -> LatencySelfTest:
    """Measure our own bias; `ttft` and `itl` (between tokens) are seconds.

    Raises ValidationError for times below 0 and for fewer than two tokens.
    """
    if min(ttft, itl) < 0 or tokens < 2 or min(concurrency, calls) < 1:
        raise ValidationError(
            "a self-test needs times of 0 or more, at least one call and two tokens"
        )
    with _server(ttft, itl, tokens) as base_url:
        results = _run(base_url, concurrency, calls)
    said = [_told(output.split()) for output in results["output"]]
    biases = [
        _bias(name, results[column] - [times[place] for times in said], said, place)
        for place, (name, column) in enumerate(
            (
                ("time to first token", "time_to_first_token_s"),
                ("between tokens", "inter_token_p50_s"),
                ("duration", "duration_s"),
            )
        )
    ]
    lagged = int(results["flags"].fillna("").str.contains("loop_lag").sum())
    return LatencySelfTest(calls, concurrency, lagged, tuple(biases))


def _told(words: list[str]) -> Times:
    """First token, median gap and whole, as the server wrote them into its answer."""
    return float(words[0]), float(words[-2]), float(words[-1])


def _bias(name: str, off: "pd.Series[float]", said: list[Times], place: int) -> Bias:
    middle, p5, p95 = off.quantile([0.5, 0.05, 0.95])
    true = median(times[place] for times in said)
    return Bias(name, true, float(middle), float(p5), float(p95))


def _run(base_url: str, concurrency: int, calls: int) -> "pd.DataFrame":
    samples = tuple(Sample(id=str(n), input=f"question {n}") for n in range(calls))
    task = Task(dataset=Dataset(name="self-test", samples=samples))
    settings = load_settings().model_copy(
        update={"providers": {PROVIDER: ProviderSettings(base_url=base_url)}}
    )
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'selftest.db'}"
        with Lab.open(url, settings=settings) as bench:
            done = wait(
                bench.run, task, models=f"{PROVIDER}/model", concurrency=concurrency
            )
            results = done.results_df()
    failed = results["error"].dropna()
    if len(failed):
        raise StoreError(
            f"{len(failed)} calls of the self-test failed: {failed.iloc[0]}"
        )
    return results


@contextmanager
def _server(ttft: float, itl: float, tokens: int) -> Iterator[str]:
    """The base URL of a server in a process of its own, which ends with the block."""
    words = [sys.executable, "-P", "-m", "aistrale_lab.embedded.timed"]
    words += [f"--ttft={ttft * 1e3}", f"--itl={itl * 1e3}", f"--tokens={tokens}"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise StoreError("the server of the self-test did not start")
        try:
            yield json.loads(line)["base_url"]
        finally:
            child.stdin.close()
