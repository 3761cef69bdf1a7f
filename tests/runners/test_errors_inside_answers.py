"""Errors that come with status 200: in a body, or in the middle of a stream."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedAnswerError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RunnerError,
    ServerError,
)
from aistrale_lab.runners.answers import raise_for_error
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body
from aistrale_lab.runners.completion_answers import (
    CompletionAnswer,
    chunk_from_completion,
)
from aistrale_lab.runners.http_errors import error_from_answer, without_key
from aistrale_lab.runners.responses_answers import ResponsesAnswer, chunk_from_response

KEY = "sk-proj-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZg"


def error(**fields: Any) -> dict[str, Any]:
    return {"error": {"message": "no", **fields}}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (error(code="insufficient_quota"), QuotaError),
        (error(type="insufficient_quota", code=None), QuotaError),
        (error(code="invalid_api_key"), AuthenticationError),
        (error(type="authentication_error"), AuthenticationError),
        (error(type="permission_error"), PermissionDeniedError),
        (error(code="context_length_exceeded"), ContextLengthError),
        (error(code="rate_limit_exceeded"), RateLimitError),
        (error(code="429"), RateLimitError),
        (error(code=429), RateLimitError),
        (error(status="RESOURCE_EXHAUSTED", code=None), RateLimitError),
        (error(type="invalid_request_error"), InvalidRequestError),
        (error(code="server_error"), ServerError),
        (error(code=7), ServerError),
        ({"error": "overloaded"}, ServerError),
        ({"object": "error", "message": "bad", "code": 400}, InvalidRequestError),
    ],
)
def test_an_error_in_an_answer_has_its_own_class(
    event: dict[str, Any], kind: type[RunnerError]
) -> None:
    with pytest.raises(RunnerError) as caught:
        raise_for_error(event)

    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "whole", [chunk_from_body, chunk_from_completion, chunk_from_response]
)
def test_googles_list_of_one_error_is_that_error(
    whole: Callable[[bytes], Chunk],
) -> None:
    body = [{"error": {"code": 400, "message": "API key not valid", "status": "X"}}]

    with pytest.raises(AuthenticationError, match="API key not valid"):
        whole(json.dumps(body).encode())


FILTERED = error(code="content_filter")


def test_a_chat_that_is_filtered_midway_keeps_its_text() -> None:
    answer = ChatAnswer()
    said = answer.add({"choices": [{"index": 0, "delta": {"content": "so far"}}]})
    answer.add(FILTERED)

    last = answer.finish()

    assert said is not None and said.text == "so far"
    assert last.finish_reason is FinishReason.CONTENT_FILTER
    assert "so far" in (last.raw or "") and "content_filter" in (last.raw or "")


def test_a_completion_that_is_filtered_midway_keeps_its_text() -> None:
    answer = CompletionAnswer()
    answer.add({"choices": [{"index": 0, "text": "so far"}]})
    answer.add(FILTERED)

    last = answer.finish()

    assert last.finish_reason is FinishReason.CONTENT_FILTER
    assert "so far" in (last.raw or "")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "content_filter", "message": "no"},
        FILTERED,
        {
            "type": "response.failed",
            "response": {"status": "failed", "output": [], **FILTERED},
        },
    ],
)
def test_a_response_that_is_filtered_midway_ends_there(event: dict[str, Any]) -> None:
    answer = ResponsesAnswer()
    answer.add({"type": "response.output_text.delta", "delta": "so far"})
    answer.add(event)

    last = answer.finish()

    assert last.finish_reason is FinishReason.CONTENT_FILTER
    assert last.text == ""


@pytest.mark.parametrize(
    "whole", [chunk_from_body, chunk_from_completion, chunk_from_response]
)
def test_a_body_that_was_filtered_is_an_answer(whole: Callable[[bytes], Chunk]) -> None:
    found = whole(json.dumps(FILTERED).encode())

    assert found.finish_reason is FinishReason.CONTENT_FILTER


def response(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    output = [{"type": "message", "content": content}]
    whole = {"status": "completed", "output": output}
    return {"type": "response.completed", "response": whole}


def test_a_text_that_comes_in_the_last_event_alone_is_kept() -> None:
    answer = ResponsesAnswer()
    answer.add(response("all of it"))

    assert answer.finish().text == "all of it"


def test_a_text_that_came_in_pieces_is_not_told_twice() -> None:
    answer = ResponsesAnswer()
    answer.add({"type": "response.output_text.delta", "delta": "all of it"})
    answer.add(response("all of it"))

    assert answer.finish().text == ""


def test_a_streamed_completion_keeps_probabilities_and_other_choices() -> None:
    answer = CompletionAnswer()
    for token, logprob in (("a", -0.1), ("b", -0.2)):
        logprobs = {"tokens": [token], "token_logprobs": [logprob]}
        first = {"index": 0, "text": token, "logprobs": logprobs}
        answer.add({"choices": [first, {"index": 1, "text": token.upper()}]})
    answer.add({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})

    last = answer.finish()

    first, other = json.loads(last.raw or "")["choices"]
    assert first["logprobs"] == {"tokens": ["a", "b"], "token_logprobs": [-0.1, -0.2]}
    assert (first["text"], other["text"]) == ("ab", "AB")
    assert last.flags == ("usage_missing", "extra_choices")


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "API key not valid. Please pass a valid API key.", AuthenticationError),
        (400, "Incorrect API key provided: xa***", AuthenticationError),
        (400, "Your credit balance is too low to access the API.", QuotaError),
        (403, "Insufficient credits", QuotaError),
        (400, "This model's maximum prompt length is 131072", ContextLengthError),
        (400, "Please reduce the length of the messages", ContextLengthError),
        (400, "The input token count (9) exceeds the maximum (8)", ContextLengthError),
        (400, "temperature must be at most 2", InvalidRequestError),
    ],
)
def test_a_refusal_is_read_by_its_words(
    status: int, text: str, kind: type[RunnerError]
) -> None:
    body = json.dumps({"error": {"message": text}}).encode()

    found = error_from_answer(status=status, headers={}, body=body, secret=None)

    assert type(found) is kind


@pytest.mark.parametrize("kept", [12, 20, len(KEY) - 1, len(KEY)])
def test_no_part_of_a_key_that_was_cut_off_is_left(kept: int) -> None:
    part = KEY[:kept]
    failure = MalformedAnswerError(
        f"no JSON: '{part}'", raw=f"x{part}", wire=f"y{part}".encode()
    )

    found = without_key(failure, KEY)

    for text in (found.message, found.raw or "", (found.wire or b"").decode()):
        assert KEY[:12] not in text
        assert "[redacted]" in text
