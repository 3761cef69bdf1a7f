"""Logs: JSON lines without secrets, without local variables, without forged lines."""

import json
from pathlib import Path

import pytest

from aistrale_lab.logs import MASK, Log, redact, visible

KEY = "sk-SECRETsecretSECRETsecret"


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_known_keys_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    log = Log(tmp_path / "lab.log", secrets=["my-own-key"])

    log.logger.info("call", url="http://h/?k=my-own-key", deep={"a": ["my-own-key"]})
    log.close()

    assert "my-own-key" not in (tmp_path / "lab.log").read_text()
    assert read(tmp_path / "lab.log")[0]["deep"] == {"a": [MASK]}


def test_a_traceback_is_logged_without_local_variables(tmp_path: Path) -> None:
    log = Log(tmp_path / "lab.log")

    def fails() -> None:
        api_key = "sk-SECRET"
        raise ValueError(f"refused {len(api_key)}")

    try:
        fails()
    except ValueError:
        log.logger.exception("boom")
    log.close()

    assert "sk-SECRET" not in (tmp_path / "lab.log").read_text()
    assert "refused 9" in (tmp_path / "lab.log").read_text()


def test_a_line_break_in_an_event_forges_no_line(tmp_path: Path) -> None:
    log = Log(tmp_path / "lab.log")

    log.logger.info("a\nlevel=error forged")
    log.close()

    assert [line["event"] for line in read(tmp_path / "lab.log")] == [
        "a\nlevel=error forged"
    ]


def test_what_looks_like_a_key_is_masked_and_what_does_not_is_kept() -> None:
    innocent = "ask-boosts-lung-cancer-portfolio-with-new-data"

    assert redact(f"key {KEY}, header Bearer abc.def-12345") == (
        f"key {MASK}, header {MASK}"
    )
    assert redact(innocent) == innocent


def test_escape_sequences_are_made_visible() -> None:
    assert visible("\x1b]52;c;ZXZpbA==\x07") == "\\x1b]52;c;ZXZpbA==\\x07"
    assert visible("safe\u202egpj.exe") == "safe\\u202egpj.exe"
    assert visible("two\nlines\tand a tab") == "two\nlines\tand a tab"


def test_on_request_a_person_reads_one_line_an_event(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = Log(tmp_path / "lab.log", secrets=["my-own-key"], human=True)

    log.logger.warning(
        "sample_failed", error="a\nlevel=error \x1b[2J", key="my-own-key"
    )
    log.close()

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "warning sample_failed error=a\\nlevel=error \\x1b[2J" in said
    assert "my-own-key" not in said
    assert not (tmp_path / "lab.log").exists()
