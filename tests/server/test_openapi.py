"""The OpenAPI document is kept: generated requests, right and wrong, find no fault.

Every route is asked. What is learnt from answers is put into later requests: so the
routes that can end sessions are asked apart, where no id of the one who asks is learnt,
and each that ends the session that asks has a session of its own. Those that call a
model are asked with a token. What a model may be asked is more than a schema says
(`extra`, parts of messages, who is there); and of a task, a dataset and an experiment's
lines no schema can say all that makes them wrong: a template, ids that are there twice.
Of these alone it is not expected that all that the schema allows is taken. A header
that is given is always sent: who may pass without one is asked elsewhere.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest
from servers.team import TeamServer

from aistrale_lab.store.accounts import UserRecord

CALL_MODELS = (
    "/api/v1/inference",
    "/v1/chat/completions",
    "/v1/models",
    "/v1/models/{model}",
)
TAKE_TASKS = (
    "POST /api/v1/exchange",
    "POST /api/v1/datasets",
    "POST /api/v1/experiments",
    "POST /api/v1/plans",
    "POST /api/v1/experiments/{experiment_id}/resume",
)
END_SESSIONS = (
    "/api/v1/auth/login",
    "/api/v1/admin/users/{user_id}",
    "/api/v1/admin/users/{user_id}/reset",
    "/api/v1/admin/users/{user_id}/sessions",
    "/api/v1/sessions/{session_id}",
)
END_ITS_OWN = ("/api/v1/auth/logout", "/api/v1/users/me/password")

LINES_AS_TEXT = {
    "SCHEMATHESIS_HOOKS": "servers.lines_as_text",
    "PYTHONPATH": str(Path(__file__).parent.parent),
}

RUN = [
    *(sys.executable, "-m", "schemathesis.cli", "run"),
    "--phases=examples,coverage,fuzzing",
    "--generation-deterministic",
    "--generation-with-security-parameters=false",
    "--max-examples=8",
    "--no-color",
]


def words_for(option: str, values: Sequence[str]) -> list[str]:
    return [f"--{option}={value}" for value in values]


def ask_all(client: httpx2.Client, folder: Path, *words: str) -> None:
    """Generated requests with a client's headers, which must find no fault."""
    sent = ("cookie", "origin", "x-aistrale", "authorization")
    headers = [
        f"--header={name}: {client.headers[name]}"
        for name in sent
        if name in client.headers
    ]
    ended = subprocess.run(
        [*RUN, str(client.base_url.join("/openapi.json")), *headers, *words],
        cwd=folder,
        env=os.environ | LINES_AS_TEXT,
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    counts = re.search(r"Selected: (\d+)/\d+\s+Tested: (\d+)", ended.stdout)
    assert counts and counts[1] == counts[2], f"not all were asked: {ended.stdout}"


def stay_signed_in(client: httpx2.Client) -> None:
    assert client.get("/api/v1/models").is_success, "whoever asked was signed out"


def test_generated_requests_find_no_fault(
    team: TeamServer, root: UserRecord, tmp_path: Path
) -> None:
    apart = words_for("exclude-path", CALL_MODELS + END_SESSIONS + END_ITS_OWN)
    with team.browser(root) as browser:
        ask_all(browser, tmp_path, *apart, *words_for("exclude-name", TAKE_TASKS))
        stay_signed_in(browser)


def test_generated_requests_that_end_sessions_find_no_fault(
    team: TeamServer, root: UserRecord, tmp_path: Path
) -> None:
    with team.browser(root) as browser:
        ask_all(browser, tmp_path, *words_for("include-path", END_SESSIONS))
        stay_signed_in(browser)


@pytest.mark.parametrize("path", END_ITS_OWN)
def test_generated_requests_that_end_their_own_session_find_no_fault(
    team: TeamServer, root: UserRecord, tmp_path: Path, path: str
) -> None:
    with team.browser(root) as browser:
        ask_all(browser, tmp_path, f"--include-path={path}")


@pytest.mark.parametrize(
    "routes",
    [words_for("include-path", CALL_MODELS), words_for("include-name", TAKE_TASKS)],
    ids=["calls", "tasks"],
)
def test_generated_tasks_and_calls_find_no_fault(
    team: TeamServer, root: UserRecord, tmp_path: Path, routes: list[str]
) -> None:
    but = "--exclude-checks=positive_data_acceptance,ignored_auth"
    with team.bearer(root) as client:
        ask_all(client, tmp_path, *routes, but)
        stay_signed_in(client)
