"""One-off calls over the API: answered whole or by events, recorded, and limited."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from servers.recorded import RecordedServer
from servers.team import TeamServer
from sqlalchemy import select

from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.calls import CALLS

QUESTION = "What is 2 + 2?"


def recorded(team: TeamServer) -> list[Any]:
    return list(team.bench.store.read(select(CALLS).order_by(CALLS.c.id)))


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream: name and content."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def test_a_question_is_answered_and_recorded(team: TeamServer, ann: UserRecord) -> None:
    asked = {"model": "openai/large", "inputs": QUESTION, "config": {"seed": 1}}

    with team.bearer(ann) as client:
        answer = client.post("/api/v1/inference", json=asked)

    (call,) = recorded(team)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["output"], told["finish_reason"]) == ("4", "stop")
    assert told["tokens"]["input"] == 10
    assert told["id"] == call.id
    assert (call.user_id, call.output, call.model) == (ann.id, "4", "large")
    assert call.token_id is not None
    assert call.config == {"seed": 1, "max_tokens": 4096}, "a limit is always sent"


def test_a_conversation_in_a_browser_needs_no_token(
    team: TeamServer, ann: UserRecord
) -> None:
    messages = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": QUESTION},
    ]

    with team.browser(ann) as client:
        answer = client.post(
            "/api/v1/inference", json={"model": "openai/large", "messages": messages}
        )

    assert answer.json()["output"] == "4"
    assert recorded(team)[0].messages == messages


def test_a_stream_tells_pieces_and_then_the_whole_answer(
    team: TeamServer, ann: UserRecord
) -> None:
    words = " ".join(f"word{n}" for n in range(30))
    asked = {"model": "embedded/echo", "inputs": words, "stream": True}

    with team.bearer(ann) as client:
        answer = client.post("/api/v1/inference", json=asked)

    told = events(answer.text)
    pieces = [content["text"] for name, content in told if name == "piece"]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert len(pieces) > 1
    assert told[-1][0] == "answer"
    assert "".join(pieces) == told[-1][1]["output"] == words
    assert recorded(team)[0].output == words


def test_an_error_before_the_first_word_of_a_stream_is_an_error(
    team: TeamServer, ann: UserRecord
) -> None:
    asked = {"model": "openai/unheard-of", "inputs": QUESTION, "stream": True}

    with team.bearer(ann) as client:
        answer = client.post("/api/v1/inference", json=asked)

    assert answer.status_code == 404
    assert answer.json()["error"]["error_type"] == "ModelNotFoundError"
    assert recorded(team)[0].error_type == "ModelNotFoundError"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_who_leaves_cancels_the_call_which_is_recorded_as_such(
    team: TeamServer, ann: UserRecord, server: RecordedServer, stream: bool
) -> None:
    server.delay, server.notice_at = 60.0, 1
    asked = {"model": "openai/large", "inputs": QUESTION, "stream": stream}

    with team.bearer(ann) as client, pytest.raises(httpx2.TimeoutException):
        client.post("/api/v1/inference", json=asked, timeout=1)

    assert server.reached.wait(10)
    eventually(lambda: server.in_flight == 0)
    eventually(lambda: [c.error_type for c in recorded(team)] == ["CancelledError"])


@pytest.mark.parametrize(
    "body",
    [
        {"model": "embedded/echo"},
        {"model": "embedded/echo", "inputs": "a", "messages": []},
        {"model": "embedded/echo", "messages": []},
        {"model": "embedded/echo", "inputs": "a", "base_url": "http://127.0.0.1"},
        {"model": "embedded/echo", "inputs": "a", "config": {"max_tokens": 0}},
        {"model": "embedded/echo", "inputs": "a", "config": {"warmth": 1}},
        {"model": "embedded/echo", "messages": [{"role": "king", "content": "a"}]},
    ],
)
def test_what_is_not_valid_is_refused_and_not_repeated(
    team: TeamServer, ann: UserRecord, body: dict[str, Any]
) -> None:
    with team.bearer(ann) as client:
        answer = client.post("/api/v1/inference", json=body)

    assert answer.status_code == 422
    assert answer.json()["error"]["error_type"] == "ValidationError"
    assert recorded(team) == []


def test_the_models_are_those_of_the_servers_own_providers(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.bearer(ann) as client:
        found = client.get("/api/v1/models").json()

    names = [item["id"] for item in found["items"]]
    assert {"embedded/echo", "openai/large", "openai/small"} <= set(names)
    assert found["missing"] == [], "huggingface has no key, and is none of ours"


def eventually(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)
