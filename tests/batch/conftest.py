"""A folder for a batch against a server that counts its calls."""

from pathlib import Path

import pytest
from servers.batches import BatchFolder
from servers.recorded import RecordedServer

QUESTIONS = {f"What is {n} + {n}?": str(2 * n) for n in range(1, 21)}


@pytest.fixture
def folder(tmp_path: Path, server: RecordedServer) -> BatchFolder:
    made = BatchFolder(
        tmp_path, OPENAI_API_KEY="sk-loopback", OPENAI_BASE_URL=server.base_url
    )
    made.add_questions(QUESTIONS)
    return made
