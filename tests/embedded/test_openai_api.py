"""The exact bytes of OpenAI's API, and what becomes of a model that fails."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx2
import pytest

from aistrale_lab.embedded.app import make_app
from aistrale_lab.embedded.baselines import BASELINES
from aistrale_lab.embedded.models import Sampling, Token, Turn

ASK = [{"role": "user", "content": "one two"}]


class Breaks:
    """A model that says one word and fails."""

    context: int | None = None

    async def answer(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Token, None]:
        yield Token("word", b"word")
        raise ArithmeticError("secret of the model")

    def prompt_tokens(self, turns: Sequence[Turn]) -> int:
        return 7


class Letters:
    """A model whose tokens are letters; some of them show nothing yet."""

    context: int | None = None

    async def answer(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Token, None]:
        for text in ["", "a", "", f"{sampling.temperature:g}"]:
            yield Token(text, text.encode())

    def prompt_tokens(self, turns: Sequence[Turn]) -> int:
        return sum(len(text) for _, text in turns)


@pytest.fixture
def http() -> httpx2.AsyncClient:
    app = make_app({**BASELINES, "breaks": Breaks(), "letters": Letters()})
    wire = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=wire, base_url="http://box")


async def chat(http: httpx2.AsyncClient, **body: Any) -> httpx2.Response:
    asked = {"model": "echo", "messages": ASK, **body}
    return await http.post("/v1/chat/completions", json=asked)


def events(answer: httpx2.Response) -> list[Any]:
    parts = answer.text.removesuffix("\n\n").split("\n\n")
    said = [part.removeprefix("data: ") for part in parts]
    return [json.loads(one) if one != "[DONE]" else one for one in said]


async def test_a_streamed_chat_has_openais_shape(http: httpx2.AsyncClient) -> None:
    usage = {"include_usage": True}
    answer = await chat(http, stream=True, stream_options=usage)

    *chunks, last, done = events(answer)
    choices = [chunk["choices"][0] for chunk in chunks]
    deltas = [choice["delta"] for choice in choices]
    opening = {"role": "assistant", "content": "", "refusal": None}
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert deltas == [opening, {"content": "one"}, {"content": " two"}, {}]
    assert [c["finish_reason"] for c in choices] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == [] and done == "[DONE]"
    assert last["usage"] == {
        "prompt_tokens": 2,
        "completion_tokens": 2,
        "total_tokens": 4,
    }


async def test_a_streamed_completion_has_openais_shape(
    http: httpx2.AsyncClient,
) -> None:
    asked = {"model": "echo", "prompt": "one two", "stream": True}
    answer = await http.post("/v1/completions", json=asked)

    *chunks, done = events(answer)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["one", " two", ""]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert not any("usage" in chunk for chunk in chunks)
    assert done == "[DONE]"


async def test_texts_of_any_kind_stream_unharmed(http: httpx2.AsyncClient) -> None:
    text = 'quote " backslash \\ newline \n\n data: é 😀 \u2028 \x00 end'

    answer = await chat(http, messages=[{"role": "user", "content": text}], stream=True)

    said = [event["choices"][0]["delta"] for event in events(answer)[:-1]]
    assert "".join(delta.get("content", "") for delta in said) == text


async def test_each_prompt_of_a_list_has_n_choices(http: httpx2.AsyncClient) -> None:
    asked = {"model": "echo", "prompt": ["a b", "c"], "n": 2}
    answer = (await http.post("/v1/completions", json=asked)).json()

    texts = [(choice["index"], choice["text"]) for choice in answer["choices"]]
    assert texts == [(0, "a b"), (1, "a b"), (2, "c"), (3, "c")]
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["usage"]["completion_tokens"] == 6


async def test_a_model_counts_in_its_own_tokens(http: httpx2.AsyncClient) -> None:
    answer = (await chat(http, model="letters", temperature=0)).json()

    assert answer["choices"][0]["message"]["content"] == "a0"
    assert answer["usage"]["prompt_tokens"] == len("one two")
    assert answer["usage"]["completion_tokens"] == 4


async def test_null_is_the_same_as_unset(http: httpx2.AsyncClient) -> None:
    names = ["stream", "stream_options", "max_tokens", "stop", "n", "temperature"]

    answer = await chat(http, **dict.fromkeys(names), never_heard_of=1)

    assert answer.json()["choices"][0]["message"]["content"] == "one two"


async def test_a_model_that_fails_is_a_500_without_its_secrets(
    http: httpx2.AsyncClient,
) -> None:
    answer = await chat(http, model="breaks")

    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert answer.json()["error"]["message"] == "ArithmeticError in the model"
    assert answer.headers["x-request-id"].startswith("req_")


async def test_a_model_that_fails_in_a_stream_ends_it_with_an_error(
    http: httpx2.AsyncClient,
) -> None:
    answer = await chat(http, model="breaks", stream=True)

    *chunks, last = events(answer)
    assert chunks[-1]["choices"][0]["delta"] == {"content": "word"}
    assert last["error"]["message"] == "ArithmeticError in the model"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": None}, "messages", "invalid_type"),
        ({"model": 7}, "model", "invalid_type"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", None),
        ({"messages": [*ASK, {"role": "king"}]}, "messages[1].role", "invalid_value"),
        ({"max_tokens": -1}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"stop": ["a", 1]}, "stop[1]", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
    ],
    ids=str,
)
async def test_an_error_names_the_place_of_the_fault(
    http: httpx2.AsyncClient, body: dict[str, Any], param: str, code: str | None
) -> None:
    answer = await chat(http, **body)

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["param"] == param
    assert error["code"] == (code or "missing_required_parameter")
    assert param in error["message"]


async def test_numbers_that_are_none_are_refused(http: httpx2.AsyncClient) -> None:
    body = b'{"model":"echo","messages":[{"role":"user"}],"temperature":NaN}'
    headers = {"content-type": "application/json"}

    answer = await http.post("/v1/chat/completions", content=body, headers=headers)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 200),
        ("GET", "/v1/models/embedded/echo", 200),
        ("GET", "/health", 200),
        ("GET", "/v1/models/none", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/chat/completions", 400),
        ("POST", "/v1/responses", 404),
    ],
)
async def test_every_response_has_a_request_id_of_its_own(
    http: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answers = [await http.request(method, path) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status, status]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2
    assert status == 200 or answers[0].json()["error"]["message"]
