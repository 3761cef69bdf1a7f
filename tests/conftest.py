"""Fixtures that every test may use."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from servers.postgres import Postgres
from servers.recorded import DOUBLES, RecordedServer, doubling_server

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are CPUs: many tests wait for a program or a browser."""
    found = yield
    return found + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests may take long begin first: no worker waits for another's last.

    A file's tests stay together, and so do those of the browser, the longest group.
    """
    longest: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        allowed = float(marker.args[0]) if marker else 0.0
        longest[item.path] = max(allowed, longest.get(item.path, 0.0))
    items.sort(key=lambda item: ("browser" not in item.path.parts, -longest[item.path]))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The engine is asyncio's; so are its tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets that stands beside the project, if it does."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets (../shared/data) are not on this machine")
    return SHARED


@pytest.fixture
def server() -> Iterator[RecordedServer]:
    """Knows every answer as `large`; as `small` it always says 2."""
    with doubling_server() as server:
        yield server


@pytest.fixture
def environment(
    server: RecordedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the tests of this process; made when the first one asks."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of a fresh, empty database; what is spooled stays in the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    url = postgres.make_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def bench(environment: None, store_url: str) -> Iterator[lab.Lab]:
    with lab.Lab.open(store_url) as bench:
        yield bench


@pytest.fixture
def task() -> Task:
    samples = tuple(
        Sample(id=f"q{n}", input=question, target=answer)
        for n, (question, answer) in enumerate(DOUBLES.items(), start=1)
    )
    return Task(dataset=Dataset(name="doubles", samples=samples), scorers=("number",))
