"""Whatever a server sends, whole or streamed: an answer, or an error of ours."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from aistrale_lab.domain.chat import Chunk, Message, Request
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.answer_stream import StreamedAnswer, WholeAnswer, read_answer
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body
from aistrale_lab.runners.completion_answers import (
    CompletionAnswer,
    chunk_from_completion,
)
from aistrale_lab.runners.openai_errors import to_error
from aistrale_lab.runners.responses_answers import ResponsesAnswer, chunk_from_response
from aistrale_lab.runners.text_generation_answers import (
    TextGenerationAnswer,
    text_generation_from_body,
)

APIS: dict[str, tuple[type[StreamedAnswer], WholeAnswer]] = {
    "chat": (ChatAnswer, chunk_from_body),
    "completions": (CompletionAnswer, chunk_from_completion),
    "responses": (ResponsesAnswer, chunk_from_response),
    "text generation": (TextGenerationAnswer, text_generation_from_body),
}
NAMES = """choices delta message content index finish_reason usage prompt_tokens error
    code tool_calls refusal logprobs text output type response status summary
    incomplete_details token details generated_text reasoning model""".split()
LEAVES = (
    some.none()
    | some.booleans()
    | some.integers(0, 3)
    | some.sampled_from(["", "a", "stop", "message", "output_text", "completed"])
    | some.sampled_from(["response.completed", "response.output_text.delta"])
)
JSON = some.recursive(
    LEAVES,
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=16,
)


async def read(api: str, body: bytes, *, stream: bool) -> list[Chunk]:
    streamed, whole = APIS[api]
    kind = "text/event-stream" if stream else "application/json"
    response = httpx2.Response(200, headers={"content-type": kind}, content=body)
    request = Request(
        model="m", messages=(Message(role="user", content="?"),), stream=stream
    )
    found = read_answer(
        response,
        request,
        streamed=streamed(),
        whole=whole,
        error_of=lambda error: to_error(error, None),
    )
    return [chunk async for chunk in found]


def drive(api: str, body: bytes, *, stream: bool) -> None:
    try:
        chunks = asyncio.run(read(api, body, stream=stream))
    except RunnerError:
        return

    assert chunks[-1].finish_reason is not None
    for chunk in chunks:
        assert isinstance(chunk.text, str) and isinstance(chunk.reasoning, str)
    assert isinstance(chunks[-1].response_model, str | None)


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=150, deadline=None)
@given(body=JSON)
def test_any_whole_json_is_an_answer_or_an_error(api: str, body: Any) -> None:
    drive(api, json.dumps(body).encode(), stream=False)


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=150, deadline=None)
@given(events=some.lists(JSON, max_size=4))
def test_any_events_are_an_answer_or_an_error(api: str, events: list[Any]) -> None:
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]

    drive(api, b"".join(lines), stream=True)


CHOICE = some.fixed_dictionaries(
    {},
    optional={
        "index": LEAVES,
        "finish_reason": LEAVES,
        "delta": JSON,
        "message": JSON,
        "text": JSON,
    },
)


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("stream", [True, False])
@settings(max_examples=150, deadline=None)
@given(choices=some.lists(CHOICE, min_size=1, max_size=3), model=LEAVES)
def test_any_choices_are_an_answer_or_an_error(
    api: str, stream: bool, choices: list[Any], model: Any
) -> None:
    body = json.dumps({"choices": choices, "model": model}).encode()

    drive(api, b"data: " + body + b"\n\n" if stream else body, stream=stream)


ITEM = some.fixed_dictionaries(
    {"type": some.sampled_from(["message", "reasoning", "function_call"])},
    optional={"content": JSON, "summary": JSON},
)


@settings(max_examples=150, deadline=None)
@given(output=some.lists(ITEM, max_size=3), status=LEAVES, details=JSON, model=LEAVES)
def test_any_response_is_an_answer_or_an_error(
    output: list[Any], status: Any, details: Any, model: Any
) -> None:
    answer = {"output": output, "status": status, "model": model}
    answer["incomplete_details"] = details

    drive("responses", json.dumps(answer).encode(), stream=False)
