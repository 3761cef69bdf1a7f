"""Chat answers, assembled from events or taken whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from servers.lanes import delta

from aistrale_lab.domain.chat import Chunk, FinishReason, Usage
from aistrale_lab.errors import RunnerError, TruncatedAnswerError
from aistrale_lab.runners.answers import merged, parse_json, usage_of
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body, content_text


def assembled(*events: Any) -> tuple[str, Chunk]:
    answer = ChatAnswer()
    chunks = [answer.add(event) for event in events]
    return "".join(chunk.text for chunk in chunks if chunk), answer.finish()


def raw(chunk: Chunk) -> Any:
    return json.loads(chunk.raw or "")


def test_the_assembled_payload_is_that_of_a_whole_answer() -> None:
    text, last = assembled(
        {**delta(role="assistant", content=""), "system_fingerprint": "fp"},
        delta(content="It is"),
        delta(content=" 4"),
        delta("stop"),
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    )

    assert text == "It is 4"
    assert last.usage == Usage(input_tokens=1, output_tokens=2)
    assert last.system_fingerprint == "fp"
    assert raw(last)["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It is 4"},
            "finish_reason": "stop",
        }
    ]


def test_what_stands_beside_the_delta_is_kept() -> None:
    first, second = delta(content="a"), delta("stop", content="b")
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}]}
    second["choices"][0]["native_finish_reason"] = "STOP"

    _, last = assembled(first, second)

    [choice] = raw(last)["choices"]
    assert choice["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}
    assert choice["native_finish_reason"] == "STOP"


def test_several_tool_calls_are_put_together_by_their_index() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "type": "function", "function": function}

    _, last = assembled(
        delta(content=None, tool_calls=[call(0, name="f", arguments="{")]),
        delta(tool_calls=[call(1, name="g", arguments="[")]),
        delta(tool_calls=[call(0, arguments="}"), call(1, arguments="]")]),
        delta("tool_calls"),
    )

    made = raw(last)["choices"][0]["message"]["tool_calls"]
    assert [c["function"]["arguments"] for c in made] == ["{}", "[]"]
    assert last.finish_reason is FinishReason.TOOL_CALLS


def test_reasoning_is_kept_apart() -> None:
    answer = ChatAnswer()

    thought = answer.add(delta(reasoning_content="hm"))
    said = answer.add(delta(content="4"))

    assert thought is not None and (thought.text, thought.reasoning) == ("", "hm")
    assert said is not None and (said.text, said.reasoning) == ("4", "")


def test_an_answer_without_a_finish_reason_is_truncated() -> None:
    answer = ChatAnswer()
    answer.add(delta(content="It"))

    with pytest.raises(TruncatedAnswerError) as caught:
        answer.finish(wire=b"data: ...")

    assert caught.value.wire == b"data: ..."


def test_merging_joins_texts_and_replaces_names() -> None:
    into: dict[str, Any] = {}

    for piece in (
        {"role": "assistant", "a": "x", "deep": {"b": "y"}, "n": 1, "list": [1]},
        {"role": "assistant", "a": "z", "deep": {"b": "w"}, "n": 2, "list": [2]},
        {"a": None, "deep": None, "n": None},
    ):
        merged(into, piece)

    assert into == {
        "role": "assistant",
        "a": "xz",
        "deep": {"b": "yw"},
        "n": 2,
        "list": [1, 2],
    }


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a", "a"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "image"}, "x", {"text": 1}], "a"),
        (7, ""),
    ],
)
def test_content_is_text_or_parts(content: Any, text: str) -> None:
    assert content_text(content) == text


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "index",
                    "finish_reason",
                    "usage",
                    "prompt_tokens",
                    "error",
                    "code",
                    "tool_calls",
                    "refusal",
                    "logprobs",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_usage_is_counts_or_unknown(said: Any) -> None:
    usage, flags = usage_of(said)

    assert usage.input_tokens is None or usage.input_tokens >= 0
    assert flags or usage.input_tokens is not None or usage.output_tokens is not None


@given(some.binary(max_size=50))
def test_any_bytes_are_a_json_object_or_an_error_of_ours(body: bytes) -> None:
    try:
        found = parse_json(body)
    except RunnerError:
        return

    assert isinstance(found, dict)


@pytest.mark.parametrize("word", ["stop", "length", "eos_token", "odd", None])
def test_the_finish_reason_of_a_whole_answer_is_one_of_ours(word: str | None) -> None:
    choice = {"message": {"content": "4"}, "finish_reason": word}

    chunk = chunk_from_body(json.dumps({"choices": [choice]}).encode())

    assert isinstance(chunk.finish_reason, FinishReason)
