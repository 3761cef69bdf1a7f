"""The OpenAPI document is kept: generated requests, right and wrong, find no fault.

What is learnt from answers is put into later requests. So the routes that can end
sessions are asked apart, where no id of the one who asks is learnt; and those that
end the session that asks are left out. So are, by now, those that call a model: their
document does not yet say all that they refuse, and an answer takes its time. Of a
task, a dataset and an experiment's lines no schema can say all that makes them wrong:
a template, ids that are there twice, a model that nobody offers.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from servers.team import TeamServer

from aistrale_lab.store.accounts import UserRecord

LEFT_OUT = ("/api/v1/auth/logout", "/api/v1/users/me/password", "/metrics")
CALL_MODELS = ("/api/v1/inference", "/v1/chat/completions", "/v1/models")
BEYOND_A_SCHEMA = [
    "--exclude-name=POST /api/v1/datasets",
    "--exclude-name=POST /api/v1/exchange",
    "--exclude-name=POST /api/v1/experiments",
    "--exclude-name=POST /api/v1/experiments/plan",
    "--exclude-name=POST /api/v1/experiments/{experiment_id}/resume",
]
END_SESSIONS = (
    "/api/v1/auth/login",
    "/api/v1/admin/users/{user_id}",
    "/api/v1/admin/users/{user_id}/reset",
    "/api/v1/admin/users/{user_id}/sessions",
    "/api/v1/sessions/{session_id}",
)

RUN = [
    *(sys.executable, "-m", "schemathesis.cli", "run"),
    "--phases=examples,coverage,fuzzing",
    "--generation-deterministic",
    "--generation-with-security-parameters=false",
    "--max-examples=8",
    "--max-time=40",
    "--no-color",
]


def words_for(option: str, paths: Sequence[str]) -> list[str]:
    return [f"--{option}-path={path}" for path in paths]


@pytest.mark.parametrize(
    "paths",
    [
        [
            *words_for("exclude", LEFT_OUT + CALL_MODELS + END_SESSIONS),
            *BEYOND_A_SCHEMA,
        ],
        words_for("include", END_SESSIONS),
    ],
    ids=["all but", "those that end sessions"],
)
def test_generated_requests_find_no_fault(
    team: TeamServer, root: UserRecord, tmp_path: Path, paths: list[str]
) -> None:
    with team.browser(root) as browser:
        headers = [
            f"--header={name}: {browser.headers[name]}"
            for name in ("cookie", "origin", "x-aistrale")
        ]
        ended = subprocess.run(
            [*RUN, f"{team.url}/openapi.json", *headers, *paths],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
        )
        me = browser.get("/api/v1/users/me")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert me.status_code == 200, "the requests were not those of a signed-in user"
