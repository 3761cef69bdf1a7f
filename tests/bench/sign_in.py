"""Whether the time of a sign-in tells who exists: 200 tries, known and unknown in turn.

`python tests/bench/sign_in.py` prints both medians and their difference, which should
be under a tenth.
"""

import statistics
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import httpx2

sys.path[:0] = [str(Path(__file__).parents[1])]

from servers.team import TeamServer  # noqa: E402

from aistrale_lab.lab.bench import Lab  # noqa: E402
from aistrale_lab.settings import Settings  # noqa: E402

TRIES = 100
numbers = count()


def timed(team: TeamServer, client: httpx2.Client, name: str) -> float:
    """Seconds of a wrong sign-in from an address that has not tried before."""
    source = {"x-forwarded-for": f"10.0.{next(numbers)}.1"}
    began = time.perf_counter()
    answer = team.sign_in(client, name, "wrong password", **source)
    elapsed = time.perf_counter() - began
    assert answer.status_code == 401, answer.text
    return elapsed


def main() -> None:
    """Print the medians."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab.open(f"sqlite:///{folder}/store.db", settings=Settings()) as bench,
        TeamServer(bench, trusted_proxies=("127.0.0.1",)) as team,
        team.visitor() as client,
    ):
        for number in range(TRIES):
            team.add_user(f"known{number}")
        known, unknown = [], []
        for number in range(TRIES):
            known.append(timed(team, client, f"known{number}"))
            unknown.append(timed(team, client, f"nobody{number}"))
    first, second = statistics.median(known), statistics.median(unknown)
    print(f"known   {1e3 * first:7.2f} ms")
    print(f"unknown {1e3 * second:7.2f} ms")
    print(f"apart   {abs(first - second) / max(first, second):7.1%}")


if __name__ == "__main__":
    main()
