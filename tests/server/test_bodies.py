"""Bodies that are wrong: answered with what is wrong, and never with what was sent."""

from typing import Any

import pytest
from servers.team import TeamServer

LOGIN = "/api/v1/auth/login"

BODIES: dict[str, bytes] = {
    "a field is missing": b'{"password": "hunter2SECRET"}',
    "wrong types": b'{"name": 7, "password": ["hunter2SECRET"]}',
    "a field too many": b'{"name": "a", "password": "x", "email": "hunter2SECRET"}',
    "NaN": b'{"email": "a", "password": NaN}',
    "Infinity": b'{"name": "hunter2SECRET", "password": -Infinity}',
    "a lone surrogate": b'{"name": "a", "password": "\\ud83d"}',
    "a lone surrogate alone": b'"\\ud83d"',
    "a lone surrogate as a name": b'{"\\ud83d": 1}',
    "deep": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "not UTF-8": b'{"name": "\xff"}',
    "half a text": b'{"name": "hunter2SECRET',
    "nothing": b"",
    "1 MB": b'{"name": "a", "password": "' + b"hunter2SECRET" * 80_000 + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_no_fault_of_a_body_is_a_fault_of_the_server_or_repeated(
    team: TeamServer, body: bytes
) -> None:
    """S31: the default 422 echoes the password; NaN -> 500; surrogates; deep JSON."""
    with team.visitor(**{"content-type": "application/json"}) as nobody:
        answer = nobody.post(LOGIN, content=body)

    fault: dict[str, Any] = answer.json()["error"]
    assert answer.status_code == 422
    assert fault["error_type"] == "ValidationError"
    assert fault["fields"]
    assert "hunter2SECRET" not in answer.text
    assert set(fault) == {
        "status_code",
        "error_type",
        "message",
        "request_id",
        "fields",
    }


def test_the_field_is_named(team: TeamServer) -> None:
    with team.visitor() as nobody:
        answer = nobody.post(LOGIN, json={"password": "hunter2SECRET"})

    assert answer.json()["error"]["fields"] == [
        {"field": "body.name", "message": "Field required"}
    ]


def test_a_form_or_plain_text_is_no_json(team: TeamServer) -> None:
    with team.visitor() as nobody:
        answers = [
            nobody.post(LOGIN, data={"name": "ann", "password": "hunter2SECRET"}),
            nobody.post(
                LOGIN,
                content=b'{"name": "ann", "password": "hunter2SECRET"}',
                headers={"content-type": "text/plain"},
            ),
        ]

    assert [a.status_code for a in answers] == [422, 422]
    assert not [a for a in answers if "hunter2SECRET" in a.text]
