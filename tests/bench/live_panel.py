"""What a live panel costs: 2,000 calls in a kernel with a `RunPanel` and without one.

Prints the CPU seconds of the kernel for either, their ratio (the median of the rounds),
and the bytes of the widget's messages. The work of the panel is counted to its end, the
static twin included; making it, before anything is sent, is not. Usage:

    python tests/bench/live_panel.py [--calls 2000] [--rounds 5]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager, start_new_kernel

HERE = Path(__file__).parent
START = """\
import os, resource, aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample
os.environ |= {{"OPENAI_BASE_URL": "{url}", "OPENAI_API_KEY": "bench"}}
bench = lab.Lab.open("sqlite:///{folder}/bench.db")

def task(name, calls):
    samples = tuple(
        Sample(id=str(n), input=f"question {{n}}", target="4") for n in range(calls)
    )
    return lab.Task(dataset=Dataset(name=name, samples=samples), scorers="includes")

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

warm = await lab.RunPanel(bench, task("warm", 20), "openai/bench").run()
"""

PLAIN = """\
asked = task("plain{round}", {calls})
handle = bench.start(asked, "openai/bench", concurrency=64)
began = cpu()
await handle
print(cpu() - began)
"""

WATCHED = """\
panel = lab.RunPanel(bench, task("watched{round}", {calls}), "openai/bench", concurrency=64)
display(panel)
panel.start()
began = cpu()
await panel.run()
print(cpu() - began)
"""


def execute(client: Any, code: str) -> tuple[float, int]:
    """Run a cell; what it prints as a number, and the bytes of its widget messages."""
    sent: list[str] = []
    widget = 0

    def hear(message: Any) -> None:
        nonlocal widget
        if message["msg_type"] == "stream":
            sent.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        elif message["msg_type"].startswith("comm") or "display" in message["msg_type"]:
            widget += len(json.dumps(message, default=str))

    client.execute_interactive(code, output_hook=hear, timeout=120)
    printed = "".join(sent).split()
    return (float(printed[-1]) if printed else 0.0), widget


def main() -> None:
    """Print the figures of every round, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, str(HERE / "free_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None and server.stdin is not None
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as folder:
        manager: KernelManager
        manager, client = start_new_kernel()
        execute(client, START.format(url=url, folder=folder))
        seconds: dict[str, list[float]] = {"plain": [], "watched": []}
        for number in range(arguments.rounds):
            asked = {"round": number, "calls": arguments.calls}
            plain, _ = execute(client, PLAIN.format(**asked))
            watched, size = execute(client, WATCHED.format(**asked))
            seconds["plain"].append(plain)
            seconds["watched"].append(watched)
            print(f"plain {plain:.2f} s, watched {watched:.2f} s, {size:,} bytes")
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    server.stdin.close()
    server.wait()
    plain, watched = (statistics.median(found) for found in seconds.values())
    print(f"{arguments.calls:,} calls: {watched / plain:.3f} times the CPU")


if __name__ == "__main__":
    main()
