"""What OpenTelemetry costs: CPU of calls with it and without, and the ratio.

Spans and metrics go to a receiver in a process of its own, as in earnest. Usage:

    python tests/bench/telemetry_cost.py [--calls 2000] [--rounds 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Process, Queue

CALLER = """
import asyncio, sys, tempfile, time
import aistrale_lab as lab

async def main(calls):
    samples = tuple(lab.Sample(id=str(n), input=f"question {n}") for n in range(calls))
    with tempfile.TemporaryDirectory() as folder:
        with lab.Lab.open(f"sqlite:///{folder}/bench.db") as bench:
            warm = lab.Task(dataset=lab.Dataset(name="warm", samples=samples[:1]))
            await bench.run(warm, models=["openai/bench"])
            task = lab.Task(dataset=lab.Dataset(name="bench", samples=samples))
            began = time.process_time()
            await bench.run(task, models=["openai/bench"], concurrency=64)
        print((time.process_time() - began) / calls * 1e3)

asyncio.run(main(int(sys.argv[1])))
"""


class Sink(BaseHTTPRequestHandler):
    """Takes what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def sink(told: "Queue[int]") -> None:
    server = HTTPServer(("127.0.0.1", 0), Sink)
    told.put(server.server_address[1])
    server.serve_forever()


def milliseconds(base_url: str, calls: int, **variables: str) -> float:
    own = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "bench", **variables}
    ended = subprocess.run(
        [sys.executable, "-c", CALLER, str(calls)],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(ended.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    told: Queue[int] = Queue()
    receiver = Process(target=sink, args=(told,), daemon=True)
    receiver.start()
    endpoint = f"http://127.0.0.1:{told.get()}"
    words = [sys.executable, os.path.join(os.path.dirname(__file__), "free_server.py")]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout and server.stdin
        url = server.stdout.readline().strip()
        pairs = [
            (
                milliseconds(url, chosen.calls),
                milliseconds(url, chosen.calls, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint),
            )
            for _ in range(chosen.rounds)
        ]
        server.stdin.close()
    receiver.terminate()
    without, with_it = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(more / less for less, more in pairs)
    print(f"CPU a call: without {without:.2f} ms, with {with_it:.2f} ms: {ratio:.2f}")


if __name__ == "__main__":
    main()
