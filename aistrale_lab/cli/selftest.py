"""`selftest latency`: how true our own times are on this machine."""

from dataclasses import asdict

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.showing import show_columns
from aistrale_lab.lab.selftest import latency_selftest


def latency(
    showing: Showing,
    *,
    ttft: float,
    itl: float,
    concurrency: int,
    calls: int,
    tokens: int,
) -> Exit:
    """Run against a server with known timings; `ttft` and `itl` are milliseconds."""
    found = latency_selftest(
        ttft=ttft / 1e3,
        itl=itl / 1e3,
        concurrency=concurrency,
        calls=calls,
        tokens=tokens,
    )
    if showing.json:
        emit_json(asdict(found))
        return Exit.DONE
    biases = found.biases
    show_columns(
        [
            Column(
                "seen by us minus said by the server", [b.name for b in biases], False
            ),
            Column("true\nmedian ms", [f"{1e3 * b.true_median:.2f}" for b in biases]),
            Column("off by\nmedian ms", [f"{1e3 * b.median:+.2f}" for b in biases]),
            Column("p5\nms", [f"{1e3 * b.p5:+.2f}" for b in biases]),
            Column("p95\nms", [f"{1e3 * b.p95:+.2f}" for b in biases]),
        ]
    )
    emit(
        f"\n{figures.share(found.lagged, found.calls)} answers were flagged loop_lag, with "
        f"{found.concurrency} calls in flight; part of the difference is the wire and "
        "the server's own delay in sending\n"
    )
    return Exit.DONE
