"""A folder for a batch against a server that counts its calls."""

from pathlib import Path

import pytest
from servers.batches import BatchFolder
from servers.recorded import DOUBLES, RecordedServer


def batch_folder(path: Path, server: RecordedServer) -> BatchFolder:
    made = BatchFolder(
        path, OPENAI_API_KEY="sk-loopback", OPENAI_BASE_URL=server.base_url
    )
    made.add_questions(DOUBLES)
    return made


@pytest.fixture
def folder(tmp_path: Path, server: RecordedServer) -> BatchFolder:
    return batch_folder(tmp_path, server)
