"""The true program in a folder of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Shell:
    """Runs the true program in a folder of its own, against a loopback server."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(timeout=90, **self.options(*words, **environment))

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(**self.options(*words, **environment))

    def options(self, *words: str, **environment: str) -> dict[str, Any]:
        return {
            "args": [sys.executable, "-m", "aistrale_lab", *words],
            "cwd": self.folder,
            "env": self.environment | environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }

    def questions(self, number: int, name: str = "sums.jsonl") -> str:
        """A prompt set of sums: `What is 1 and 100 ?` and so on."""
        lines = (
            {"input": f"What is {n} and 100 ?", "target": str(n + 100)}
            for n in range(1, number + 1)
        )
        file = self.folder / name
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return name
