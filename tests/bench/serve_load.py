"""What the team server adds to a call: 200 clients at once, beside the direct call.

    python tests/bench/serve_load.py [CALLS] [CLIENTS]

Prints p50 and p95 of the same calls made to the models' server itself and through
`aistrale serve`, on SQLite, on PostgreSQL, and on a PostgreSQL that is killed and
started again in the middle (its 503 are asked again), and the CPU that the server took
for each call. Fails if a call was not answered, or not recorded exactly once.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from servers.crowd import Crowd, Heard  # noqa: E402  # the path is set first
from servers.postgres import Postgres  # noqa: E402
from servers.team import serving  # noqa: E402
from sqlalchemy import select  # noqa: E402

from aistrale_lab.server.caller import SCOPES  # noqa: E402
from aistrale_lab.store.accounts import Accounts  # noqa: E402
from aistrale_lab.store.calls import CALLS, Calls  # noqa: E402
from aistrale_lab.store.results import Store  # noqa: E402
from aistrale_lab.store.tokens import Tokens  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def main(calls: int = 20_000, clients: int = 200) -> None:
    print(f"{calls:,} calls of embedded/echo by {clients} clients at once")
    with embedded() as models:
        report("direct", *direct(models, calls, clients), calls)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_STATE_HOME"] = folder
            url = f"sqlite:///{folder}/store.db"
            report("SQLite", *through(url, models, calls, clients), calls)
        postgres = Postgres()
        try:
            postgres.start()
            url = postgres.make_database()
            report("PostgreSQL", *through(url, models, calls, clients), calls)
            url = postgres.make_database()
            heard, seconds, cpu = through(url, models, calls, clients, kill=postgres)
            assert heard.statuses.count(503) > 0, "the server never noticed"
            report("killed", heard, seconds, cpu, calls, killed=True)
        finally:
            postgres.stop()


def direct(models: str, calls: int, clients: int) -> tuple[Heard, float, None]:
    base_url = models.removesuffix("/v1")
    return asked(Crowd(base_url, "none", clients=clients, calls=calls, model="echo"))


def through(
    url: str, models: str, calls: int, clients: int, kill: Postgres | None = None
) -> tuple[Heard, float, float]:
    token = token_of_ann(url)
    settings = {"AISTRALE_USER_CONCURRENCY": "10000", "AISTRALE_EMBEDDED_URL": models}
    with serving(url, **settings) as (program, base_url):
        crowd = Crowd(base_url, token, clients=clients, calls=calls)
        before = cpu_of(program.pid)
        heard, seconds, _ = asked(crowd, kill)
        cpu = cpu_of(program.pid) - before
    rows = recorded(url)
    assert len(rows) == calls, "a call is lost, or recorded twice"
    assert set(rows) == heard.ids, "what is recorded is not what was answered"
    return heard, seconds, cpu


def asked(crowd: Crowd, kill: Postgres | None = None) -> tuple[Heard, float, None]:
    began = time.perf_counter()
    asyncio.run(crowd.ask_all() if kill is None else ask_and_kill(crowd, kill))
    return crowd.heard, time.perf_counter() - began, None


async def ask_and_kill(crowd: Crowd, postgres: Postgres) -> None:
    asking = asyncio.create_task(crowd.ask_all())
    await crowd.until(lambda heard: len(heard.ids) >= crowd.calls // 2)
    await asyncio.to_thread(postgres.kill)
    await crowd.until(lambda heard: heard.statuses.count(503) >= crowd.clients)
    await asyncio.to_thread(postgres.start)
    await asking


def report(
    name: str,
    heard: Heard,
    seconds: float,
    cpu: float | None,
    calls: int,
    *,
    killed: bool = False,
) -> None:
    refused = heard.statuses.count(503) if killed else 0
    answered = heard.statuses.count(200)
    assert answered == calls, "a call was not answered"
    assert len(heard.statuses) == calls + refused, "a call failed"
    taken = "" if cpu is None else f"   server's CPU {cpu / calls * 1e3:5.2f} ms a call"
    cuts = statistics.quantiles(heard.seconds, n=20)
    print(
        f"{name:>10}: {calls / seconds:6.0f} calls/s"
        f"   p50 {cuts[9] * 1e3:6.0f} ms   p95 {cuts[18] * 1e3:6.0f} ms"
        f"{taken}" + (f"   {refused} answers of 503" if killed else "")
    )


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def embedded() -> Iterator[str]:
    """The models in the box, served by a process of their own."""
    command = [sys.executable, "-m", "aistrale_lab.embedded", "--until-stdin-closes"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None and program.stdin is not None
        try:
            yield str(json.loads(program.stdout.readline())["base_url"])
        finally:
            program.stdin.close()


def token_of_ann(url: str) -> str:
    store = Store.open(url)
    try:
        ann = Accounts(store).add("ann", "no hash", role="user")
        return Tokens(store).add(ann.id, "load", scopes=SCOPES)[0]
    finally:
        store.close()


def recorded(url: str) -> list[str]:
    store = Store.open(url)
    try:
        Calls(store).take_in()
        return [row.id for row in store.read(select(CALLS.c.id))]
    finally:
        store.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
