"""Is latency true under load? Ours against what the server says it did.

Prints the difference, in milliseconds, between the times in our results and those
that a server with known timings wrote into its answers. Usage:

    python tests/bench/latency_truth.py [--in-flight 64] [--calls 1000]
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


async def measure(base_url: str, calls: int, in_flight: int) -> None:
    import aistrale_lab as lab

    os.environ |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "bench"}
    samples = tuple(lab.Sample(id=str(n), input=f"question {n}") for n in range(calls))
    task = lab.Task(dataset=lab.Dataset(name="latency", samples=samples))
    with tempfile.TemporaryDirectory() as folder:
        bench = lab.Lab.open(f"sqlite:///{folder}/bench.db")
        done = await bench.run(task, models=["openai/timed"], concurrency=in_flight)
        results = done.results_df()
        bench.close()
    said = results["output"].str.split()
    for name, measured, sent in (
        ("time to first token", results["time_to_first_token_s"], said.str[0]),
        ("duration", results["duration_s"], said.str[-1]),
    ):
        off = (measured - sent.astype(float)) * 1e3
        print(
            f"{name:20} off by {off.median():+.2f} ms (median),"
            f" {off.quantile(0.05):+.2f} to {off.quantile(0.95):+.2f} (5-95 %),"
            f" n={len(off)}"
        )
    flagged = results["flags"].str.contains("loop_lag").sum()
    print(f"{flagged} of {len(results)} flagged loop_lag")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--calls", type=int, default=1_000)
    arguments = parser.parse_args()
    words = [sys.executable, str(HERE / "timed_server.py"), "120", "8", "20"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout and server.stdin
        base_url = server.stdout.readline().strip()
        asyncio.run(measure(base_url, arguments.calls, arguments.in_flight))
        server.stdin.close()


if __name__ == "__main__":
    main()
