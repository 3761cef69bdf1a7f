"""OpenAI's own client, pointed at the team's server with a token of a user."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from servers.canned import CannedServer, canned_server
from servers.lanes import delta, sse, whole
from servers.team import TeamServer
from sqlalchemy import select

import aistrale_lab as lab
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.calls import CALLS

QUESTION: Any = [{"role": "user", "content": "What is 2 + 2?"}]
TOOL: Any = {"type": "function", "function": {"name": "add", "parameters": {}}}
SILENT: Any = {"role": "assistant", "content": None}
SEARCHES: Any = {**SILENT, "tool_calls": [{"id": "c1", "type": "web_search"}]}


@contextmanager
def client_of(
    team: TeamServer, user: UserRecord, *scopes: str, **options: Any
) -> Iterator[openai.OpenAI]:
    secret, _ = team.app.state.tokens.add(user.id, "t", scopes=scopes or ["inference"])
    options = {"max_retries": 0, **options}
    with openai.OpenAI(base_url=f"{team.url}/v1", api_key=secret, **options) as client:
        yield client


@pytest.fixture
def client(team: TeamServer, ann: UserRecord) -> Iterator[openai.OpenAI]:
    with client_of(team, ann) as client:
        yield client


@pytest.fixture
async def canned() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


@pytest.fixture
def scripted(
    environment: None, store_url: str, canned: CannedServer, tmp_path: Path
) -> Iterator[TeamServer]:
    """A server whose provider `here` answers with what is canned."""
    (tmp_path / "aistrale.toml").write_text(
        f'[providers.here]\nbase_url = "{canned.base_url}"\n'
    )
    with lab.Lab.open(store_url) as bench, TeamServer(bench) as team:
        yield team


def recorded(team: TeamServer) -> list[Any]:
    return list(team.bench.store.read(select(CALLS).order_by(CALLS.c.id)))


def test_a_whole_answer(
    client: openai.OpenAI, team: TeamServer, ann: UserRecord
) -> None:
    answer = client.chat.completions.create(
        model="openai/large",
        messages=QUESTION,
        max_completion_tokens=9,
        stop="x",
        extra_body={"top_k": 3},
    )

    (call,) = recorded(team)
    assert answer.choices[0].message.content == "4"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.total_tokens == 11
    assert answer.model == "openai/large"
    assert answer.id == f"chatcmpl-{call.id}"
    assert call.user_id == ann.id
    assert call.config == {"max_tokens": 9, "stop_sequences": ["x"], "top_k": 3}


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream(client: openai.OpenAI, include_usage: bool) -> None:
    words = " ".join(f"word{n}" for n in range(30))

    chunks = list(
        client.chat.completions.create(
            model="embedded/echo",
            messages=[{"role": "user", "content": words}],
            stream=True,
            stream_options={"include_usage": include_usage},
        )
    )

    said = [c.choices[0] for c in chunks if c.choices]
    assert said[0].delta.role == "assistant"
    assert len(said) > 3
    assert "".join(one.delta.content or "" for one in said) == words
    assert [one.finish_reason for one in said if one.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    usage = chunks[-1].usage
    assert (usage is not None) is include_usage
    assert usage is None or usage.total_tokens > 30


def test_the_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert {"embedded/echo", "openai/large"} <= set(names)


def test_one_model(client: openai.OpenAI) -> None:
    found = client.models.retrieve("openai/large")

    assert (found.id, found.owned_by) == ("openai/large", "openai")


@pytest.mark.parametrize("model", ["large", "embedded", "nowhere/m", "embedded/none"])
def test_a_model_that_there_is_not(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as sought:
        client.models.retrieve(model)
    with pytest.raises(openai.NotFoundError) as asked:
        client.chat.completions.create(model=model, messages=QUESTION)

    assert sought.value.code == asked.value.code == "model_not_found"


async def test_calls_of_tools_come_through_whole_and_streamed(
    scripted: TeamServer, canned: CannedServer
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a": 2}'},
    }
    canned.answers(
        whole(None, "tool_calls", tool_calls=[call]),
        sse(
            delta(tool_calls=[{"index": 0, **call}]),
            delta("tool_calls"),
        ),
    )

    def ask() -> list[Any]:
        ann = scripted.add_user("ann")
        with client_of(scripted, ann) as client:
            create = client.chat.completions.create
            asked: Any = {"model": "here/m", "messages": QUESTION, "tools": [TOOL]}
            return [create(**asked), *create(**asked, stream=True)]

    answer, *chunks = await asyncio.to_thread(ask)

    (told,) = answer.choices[0].message.tool_calls
    assert (told.id, told.function.arguments) == ("c1", '{"a": 2}')
    assert answer.choices[0].finish_reason == "tool_calls"
    deltas = [c.choices[0].delta.tool_calls for c in chunks]
    streamed = [one for calls in deltas for one in calls or ()]
    assert [(one.index, one.function.name) for one in streamed] == [(0, "add")]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_a_conversation_with_tools_reaches_the_provider_and_is_recorded(
    scripted: TeamServer, canned: CannedServer
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a": 2}'},
        "extra_content": {"signature": "s"},
    }
    canned.answers(
        whole(None, "tool_calls", tool_calls=[call], reasoning_content="To be added."),
        whole("It is 4"),
    )
    turns = list(QUESTION)

    def converse() -> str | None:
        with client_of(scripted, scripted.add_user("ann")) as client:
            create = client.chat.completions.create
            asked: Any = {"model": "here/m", "tools": [TOOL]}
            said = create(messages=turns, **asked).choices[0].message
            unsaid = {"annotations": [], "audio": None, "function_call": None}
            turns.append({**said.model_dump(), **unsaid})
            turns.append(
                {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "4"}
            )
            return create(messages=turns, **asked).choices[0].message.content

    assert await asyncio.to_thread(converse) == "It is 4"
    sent = canned.received[1].json["messages"]
    assert sent == [
        *QUESTION,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call],
            "reasoning_content": "To be added.",
        },
        {"role": "tool", "content": "4", "name": "add", "tool_call_id": "c1"},
    ]
    assert [one.messages for one in recorded(scripted)] == [QUESTION, sent]


async def test_an_error_in_the_midst_of_a_stream_is_raised_by_the_client(
    scripted: TeamServer, canned: CannedServer
) -> None:
    canned.answers(sse(delta(content="It is"), done=False))

    def ask() -> list[Any]:
        heard = []
        with client_of(scripted, scripted.add_user("ann")) as client:
            with pytest.raises(openai.APIError) as raised:
                for chunk in client.chat.completions.create(
                    model="here/m", messages=QUESTION, stream=True
                ):
                    heard.append(chunk.choices[0].delta.content)
        assert "TruncatedAnswerError" in str(raised.value)
        return heard

    assert await asyncio.to_thread(ask) == ["", "It is"]


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        ({"model": "openai/unheard-of"}, openai.NotFoundError, "model_not_found"),
        ({"model": "nowhere m"}, openai.BadRequestError, "ValidationError"),
        ({"n": 2}, openai.BadRequestError, "ValidationError"),
        ({"max_tokens": 5_000}, openai.BadRequestError, "ValidationError"),
        ({"extra_body": {"best_of": 9}}, openai.BadRequestError, "ValidationError"),
        ({"stop": 3}, openai.BadRequestError, "ValidationError"),
        ({"messages": [SILENT]}, openai.BadRequestError, "ValidationError"),
        ({"messages": [SEARCHES]}, openai.BadRequestError, "ValidationError"),
    ],
)
def test_errors_have_the_form_that_the_client_knows(
    client: openai.OpenAI, asked: dict[str, Any], error: type[Exception], code: str
) -> None:
    whole: Any = {"model": "embedded/echo", "messages": QUESTION, **asked}

    with pytest.raises(error) as raised:
        client.chat.completions.create(**whole)

    assert isinstance(raised.value, openai.APIStatusError)
    assert raised.value.code == code
    assert raised.value.request_id is not None


def test_without_a_valid_token_nobody_passes(team: TeamServer, ann: UserRecord) -> None:
    def ask(client: openai.OpenAI) -> None:
        client.chat.completions.create(model="embedded/echo", messages=QUESTION)

    stranger = openai.OpenAI(base_url=f"{team.url}/v1", api_key="sk-x", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as refused:
        ask(stranger)
    with client_of(team, ann, "read") as reader:
        with pytest.raises(openai.PermissionDeniedError):
            ask(reader)
    with team.browser(ann) as browser:
        body = {"model": "embedded/echo", "messages": QUESTION}
        by_cookie = browser.post("/v1/chat/completions", json=body)

    assert refused.value.code == "invalid_api_key"
    assert by_cookie.status_code == 401
    assert by_cookie.json()["error"]["type"] == "authentication_error"
    assert recorded(team) == []


def test_the_bench_itself_can_use_the_teams_server(
    team: TeamServer, ann: UserRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = team.app.state.tokens.add(ann.id, "t", scopes=["inference"])
    monkeypatch.setenv("TEAM_TOKEN", secret)
    (tmp_path / "aistrale.toml").write_text(
        f'[providers.team]\nbase_url = "{team.url}/v1"\napi_key_env = "TEAM_TOKEN"\n'
    )

    with lab.Lab.open(f"sqlite:///{tmp_path}/mine.db") as bench:
        answer = lab.wait(bench.ask, "team/openai/large", "What is 2 + 2?")

    assert answer.text == "4"
    assert len(recorded(team)) == 1
