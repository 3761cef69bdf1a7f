"""Chat completions, streamed or whole, of OpenAI and all who speak its API."""

import json
from typing import Any

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.runners.answers import (
    filtered,
    finish_reason,
    is_filter_error,
    malformed,
    merged,
    parse_json,
    raise_for_error,
    text_or_none,
    truncated,
    usage_of,
)

_CONTENT_ONLY = {"content"}
_ORDINARY = {"index", "delta", "finish_reason", "logprobs"}


class ChatAnswer:
    """One streamed chat completion, assembled event by event.

    The path of an ordinary token is short; everything else is merged generically,
    so that the assembled payload keeps what the provider added.
    """

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._others: dict[Any, dict[str, Any]] = {}
        self._texts: list[str] = []
        self._usage: Any = None
        self._reason: Any = None

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; raises the error that an error event stands for."""
        if "error" in event or event.get("object") == "error":
            if is_filter_error(event):
                self._reason = "content_filter"
            else:
                raise_for_error(event)
        choices = event.get("choices")
        if event.get("usage") is not None:
            self._usage = event["usage"]
        self._top.update(event)
        if not choices or not isinstance(choices, list):
            return None
        if len(choices) > 1 or choices[0].get("index"):
            return self._add_many(choices)
        return self._add_first(choices[0])

    def finish(self, *, wire: bytes = b"") -> Chunk:
        """The last chunk, with the assembled payload; raises TruncatedAnswerError."""
        reason = finish_reason(self._reason)
        if reason is None:
            raise truncated(wire)
        usage, flags = usage_of(self._usage)
        if self._others:
            flags += ("extra_choices",)
        return Chunk(
            finish_reason=_refined(reason, self._message),
            usage=usage,
            response_model=text_or_none(self._top.get("model")),
            system_fingerprint=text_or_none(self._top.get("system_fingerprint")),
            raw=self._raw(),
            flags=flags,
        )

    def _add_first(self, choice: dict[str, Any]) -> Chunk | None:
        if choice.get("finish_reason") is not None:
            self._reason = choice["finish_reason"]
        if choice.get("logprobs") or not choice.keys() <= _ORDINARY:
            self._add_rest(choice)
        delta = choice.get("delta")
        if delta is None:
            return None
        content = delta.get("content")
        if delta.keys() == _CONTENT_ONLY and type(content) is str:
            self._texts.append(content)
            return Chunk(content) if content else None
        return self._add_delta(delta, content)

    def _add_rest(self, choice: dict[str, Any]) -> None:
        """Keep what stands beside the delta; log probabilities come per token."""
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict):
            merged(self._choice.setdefault("logprobs", {}), logprobs)
        rest = choice.keys() - _ORDINARY
        self._choice.update({name: choice[name] for name in choice if name in rest})

    def _add_delta(self, delta: dict[str, Any], content: Any) -> Chunk | None:
        said = content_text(content)
        if said:
            self._texts.append(said)
        others = {name: value for name, value in delta.items() if name != "content"}
        merged(self._message, others)
        refusal = delta.get("refusal")
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        text = said + (refusal if isinstance(refusal, str) else "")
        reasoning = thought if isinstance(thought, str) else ""
        return Chunk(text, reasoning=reasoning) if text or reasoning else None

    def _add_many(self, choices: list[dict[str, Any]]) -> Chunk | None:
        found = None
        for choice in choices:
            if choice.get("index"):
                merged(self._others.setdefault(choice["index"], {}), choice)
            else:
                found = self._add_first(choice)
        return found

    def _raw(self) -> str:
        message = {**self._message}
        message["content"] = "".join(self._texts) if self._texts else None
        first: dict[str, Any] = {"index": 0, "message": message, **self._choice}
        first["finish_reason"] = self._reason
        choices = [first, *self._others.values()]
        return json.dumps({**self._top, "choices": choices, "usage": self._usage})


def chunk_from_body(body: bytes) -> Chunk:
    """A whole chat completion as one chunk.

    Raises MalformedAnswerError for what is no chat completion, and the error that a
    body with status 200 may hold.
    """
    answer = parse_json(body)
    if is_filter_error(answer):
        return filtered(body)
    raise_for_error(answer)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise malformed("the answer has no choices", body)
    return _chunk_of_choice(answer, choices, body)


def content_text(content: Any) -> str:
    """The text of a content field: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _chunk_of_choice(answer: dict[str, Any], choices: list[Any], body: bytes) -> Chunk:
    first = choices[0]
    message = first.get("message")
    usage, flags = usage_of(answer.get("usage"))
    if len(choices) > 1:
        flags += ("extra_choices",)
    missing = not isinstance(message, dict)
    if missing and not (
        first.get("finish_reason") or "content_filter_results" in first
    ):
        raise malformed("the answer's choice has no message", body)
    said = {} if missing else message
    reason = finish_reason(first.get("finish_reason")) or FinishReason.UNKNOWN
    refusal = said.get("refusal")
    thought = said.get("reasoning_content") or said.get("reasoning")
    return Chunk(
        text=content_text(said.get("content"))
        or (refusal if isinstance(refusal, str) else ""),
        reasoning=thought if isinstance(thought, str) else "",
        finish_reason=_refined(
            FinishReason.CONTENT_FILTER if missing else reason, said
        ),
        usage=usage,
        response_model=text_or_none(answer.get("model")),
        system_fingerprint=text_or_none(answer.get("system_fingerprint")),
        raw=body.decode("utf-8", "replace"),
        flags=flags,
    )


def _refined(reason: FinishReason, message: dict[str, Any]) -> FinishReason:
    """What the message tells beyond the provider's own word."""
    if reason is FinishReason.STOP and message.get("refusal"):
        return FinishReason.REFUSAL
    called = message.get("tool_calls") or message.get("function_call")
    if reason is FinishReason.STOP and called:
        return FinishReason.TOOL_CALLS
    return reason
