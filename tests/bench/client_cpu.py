"""What a call costs the client: ours against a bare AsyncOpenAI loop.

Prints CPU milliseconds per call (user and system, all threads of the client) and
their ratio. Each side runs in a process of its own, in turn, against the same
server; what is quoted is the median of the rounds. Ours records everything: prompts,
answers, times, raw payloads, durably. Usage:

    python tests/bench/client_cpu.py [--calls 2000] [--in-flight 64] [--rounds 3]
    python tests/bench/client_cpu.py --growth     # flat in samples and in flight?
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


async def bare(base_url: str, calls: int, in_flight: int, stream: bool) -> None:
    from openai import AsyncOpenAI

    places = asyncio.Semaphore(in_flight)
    async with AsyncOpenAI(base_url=base_url, api_key="bench") as client:

        async def call(number: int) -> str:
            messages: Any = [{"role": "user", "content": f"question {number}"}]
            async with places:
                if not stream:
                    whole = await client.chat.completions.create(
                        model="bench", messages=messages
                    )
                    return whole.choices[0].message.content or ""
                chunks = await client.chat.completions.create(
                    model="bench", messages=messages, stream=True
                )
                texts = []
                async for chunk in chunks:
                    if chunk.choices and chunk.choices[0].delta.content:
                        texts.append(chunk.choices[0].delta.content)
                return "".join(texts)

        await call(-1)
        started()
        await asyncio.gather(*(call(number) for number in range(calls)))


async def ours(base_url: str, calls: int, in_flight: int, stream: bool) -> None:
    import aistrale_lab as lab

    os.environ |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "bench"}
    samples = tuple(
        lab.Sample(id=str(n), input=f"question {n}", target="4") for n in range(calls)
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = lab.Lab.open(f"sqlite:///{folder}/bench.db")
        warm = lab.Task(dataset=lab.Dataset(name="warm", samples=samples[:1]))
        await bench.run(warm, models=["openai/bench"], stream=stream)
        task = lab.Task(
            dataset=lab.Dataset(name="bench", samples=samples), scorers=("includes",)
        )
        started()
        experiment = await bench.run(
            task, models=["openai/bench"], stream=stream, concurrency=in_flight
        )
        measured()
        done = experiment.runs[0]
        assert done.status == "completed", done
        bench.close()


_begin: dict[str, float] = {}


def started() -> None:
    _begin.update(cpu=cpu_seconds(), wall=time.perf_counter(), kb=resident_kb())


def measured() -> None:
    if "end" not in _begin:
        _begin.update(end=cpu_seconds(), stop=time.perf_counter(), peak=resident_kb())


def side(arguments: argparse.Namespace) -> None:
    run = {"bare": bare, "ours": ours}[arguments.side]
    asyncio.run(
        run(
            arguments.base_url,
            arguments.calls,
            arguments.in_flight,
            arguments.mode == "stream",
        )
    )
    measured()
    report = {
        "ms": (_begin["end"] - _begin["cpu"]) / arguments.calls * 1e3,
        "wall_ms": (_begin["stop"] - _begin["wall"]) / arguments.calls * 1e3,
        "kb": (_begin["peak"] - _begin["kb"]) / arguments.calls,
    }
    print(json.dumps(report))


def measure(base_url: str, name: str, mode: str, calls: int, in_flight: int) -> Any:
    words = ["--side", name, "--mode", mode, "--base-url", base_url]
    words += ["--calls", str(calls), "--in-flight", str(in_flight)]
    ended = subprocess.run(
        [sys.executable, __file__, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout.splitlines()[-1])


def compare(base_url: str, arguments: argparse.Namespace, title: str) -> None:
    for mode in ("stream", "whole"):
        figures: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(arguments.rounds):
            for name in figures:
                found = measure(
                    base_url, name, mode, arguments.calls, arguments.in_flight
                )
                figures[name].append(found["ms"])
        ratios = [o / b for o, b in zip(figures["ours"], figures["bare"], strict=True)]
        print(
            f"{title:22} {mode:7} bare {statistics.median(figures['bare']):6.2f} ms"
            f"   ours {statistics.median(figures['ours']):6.2f} ms"
            f"   ratio {statistics.median(ratios):.2f}"
            f" ({min(ratios):.2f}-{max(ratios):.2f})"
        )


def growth(base_url: str) -> None:
    for calls, in_flight in (
        (1_000, 64),
        (10_000, 64),
        (50_000, 64),
        (10_000, 1_000),
    ):
        found = measure(base_url, "ours", "stream", calls, in_flight)
        print(
            f"{calls:7} samples, {in_flight:5} in flight: {found['ms']:.2f} ms CPU,"
            f" {found['wall_ms']:.2f} ms wall, {found['kb']:+.2f} kB a sample"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--side", choices=("bare", "ours"))
    parser.add_argument("--mode", choices=("stream", "whole"))
    parser.add_argument("--base-url")
    arguments = parser.parse_args()
    if arguments.side:
        side(arguments)
        return
    for title, gap in (("events in one piece", None), ("events one by one", "0.001")):
        words = [sys.executable, str(HERE / "free_server.py"), *([gap] if gap else [])]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout and server.stdin
            base_url = server.stdout.readline().strip()
            if not arguments.growth:
                compare(base_url, arguments, title)
            elif gap is None:
                growth(base_url)
            server.stdin.close()


if __name__ == "__main__":
    main()
