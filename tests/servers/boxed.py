"""The server of the models in the box, as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = [sys.executable, "-m", "aistrale_lab.embedded", "--until-stdin-closes"]


@contextmanager
def boxed_models() -> Iterator[str]:
    """Its base URL; it ends with the block."""
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        yield json.loads(child.stdout.readline())["base_url"]
        child.stdin.close()
