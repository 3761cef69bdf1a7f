"""The answers of text-generation-inference, whole and event by event."""

import json
from typing import Any

import pytest

from aistrale_lab.domain.chat import Chunk, FinishReason, Usage
from aistrale_lab.errors import MalformedAnswerError, TruncatedAnswerError
from aistrale_lab.runners.text_generation_answers import (
    TextGenerationAnswer,
    text_generation_from_body,
)

DETAILS = {
    "finish_reason": "eos_token",
    "generated_tokens": 3,
    "input_length": 9,
    "seed": 2**64 - 1,
}


def token(text: str, *, special: bool = False, **last: Any) -> dict[str, Any]:
    return {
        "index": 1,
        "token": {"id": 5, "text": text, "logprob": -0.1, "special": special},
        "generated_text": None,
        "details": None,
        **last,
    }


def chunks(*events: Any) -> list[Chunk]:
    answer = TextGenerationAnswer()
    heard = [chunk for event in events if (chunk := answer.add(event))]
    return [*heard, answer.finish()]


def whole(answer: Any) -> Chunk:
    return text_generation_from_body(json.dumps(answer).encode())


def text(heard: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in heard)


def test_tokens_come_one_by_one_and_the_last_ends_the_answer() -> None:
    end = token("</s>", special=True, generated_text="It is 4", details=DETAILS)

    heard = chunks(token("It"), token(" is"), token(" 4"), end)

    assert [chunk.text for chunk in heard] == ["It", " is", " 4", ""]
    assert heard[-1].finish_reason is FinishReason.STOP
    assert heard[-1].usage == Usage(input_tokens=9, output_tokens=3)
    assert json.loads(heard[-1].raw or "") == end


def test_the_last_token_is_text_if_it_is_not_special() -> None:
    end = token(" 4", generated_text="It is 4", details=DETAILS)

    assert text(chunks(token("It"), token(" is"), end)) == "It is 4"


def test_what_the_tokens_left_out_comes_at_the_end() -> None:
    end = token("", generated_text="\u00fc!", details=DETAILS)

    assert text(chunks(token(""), end)) == "\u00fc!"


def test_a_text_that_was_trimmed_afterwards_is_not_sent_twice() -> None:
    end = token("?", generated_text="Yes?", details=DETAILS)

    assert text(chunks(token(" Yes"), end)) == " Yes?"


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("eos_token", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("bored", FinishReason.UNKNOWN),
        (None, FinishReason.UNKNOWN),
        (["length"], FinishReason.UNKNOWN),
    ],
)
def test_the_finish_reason_is_ours(theirs: Any, ours: FinishReason) -> None:
    details = {**DETAILS, "finish_reason": theirs}

    chunk = whole({"generated_text": "x", "details": details})

    assert chunk.finish_reason is ours


@pytest.mark.parametrize("wrap", [lambda answer: answer, lambda answer: [answer]])
def test_a_whole_answer_may_stand_in_a_list(wrap: Any) -> None:
    chunk = whole(wrap({"generated_text": "It is 4", "details": DETAILS}))

    assert chunk.text == "It is 4"
    assert "18446744073709551615" in (chunk.raw or "")


def test_an_answer_without_details_has_no_usage() -> None:
    chunk = whole([{"generated_text": "x"}])

    assert (chunk.text, chunk.usage) == ("x", Usage())
    assert chunk.flags == ("usage_missing",)
    assert chunk.finish_reason is FinishReason.UNKNOWN


@pytest.mark.parametrize("count", ["9", -1, None, True, 1.5, [9]])
def test_a_count_that_is_none_is_unknown(count: Any) -> None:
    details = {"generated_tokens": count, "input_length": count}

    chunk = whole({"generated_text": "x", "details": details})

    assert chunk.usage == Usage()
    assert chunk.flags


def test_the_tokens_of_the_prompt_are_counted_if_they_are_listed() -> None:
    details = {"generated_tokens": 1, "prefill": [{"id": 1}, {"id": 2}]}

    chunk = whole({"generated_text": "x", "details": details})

    assert chunk.usage == Usage(input_tokens=2, output_tokens=1)


@pytest.mark.parametrize("body", [None, [], "x", 7, {}, {"generated_text": 7}, [[]]])
def test_what_is_no_answer_is_malformed(body: Any) -> None:
    with pytest.raises(MalformedAnswerError):
        whole(body)


@pytest.mark.parametrize("events", [[], [token("It")], [{}]])
def test_a_stream_without_its_last_event_is_truncated(events: list[Any]) -> None:
    with pytest.raises(TruncatedAnswerError):
        chunks(*events)
