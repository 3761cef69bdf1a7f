"""An observed bench, with the provider `here` that answers what is canned."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servers.canned import CannedServer, canned_server
from servers.observed import Observed, observed


@pytest.fixture
async def canned() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


@pytest.fixture
def seen(
    canned: CannedServer, environment: None, store_url: str, tmp_path: Path
) -> Iterator[Observed]:
    (tmp_path / "aistrale.toml").write_text(
        f'[providers.here]\nbase_url = "{canned.base_url}"\n'
        '[prices."here/m"]\ninput_mtok = 1000\noutput_mtok = 1000\n'
    )
    with observed(store_url, tmp_path) as seen:
        yield seen
