"""Answers of OpenAI's Responses API, streamed or whole."""

import json
from typing import Any

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.runners.answers import (
    filtered,
    is_filter_error,
    malformed,
    parse_json,
    raise_for_error,
    text_or_none,
    truncated,
    usage_of,
)

_TEXT = "response.output_text.delta"
_REFUSAL = "response.refusal.delta"
_THOUGHT = (
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
)
_LAST = ("response.completed", "response.incomplete", "response.failed")
_CALLS = frozenset({"function_call", "custom_tool_call", "mcp_approval_request"})


class ResponsesAnswer:
    """One streamed response. Its last event repeats the whole answer."""

    def __init__(self) -> None:
        self._whole: dict[str, Any] | None = None
        self._has_text = False
        self._has_reasoning = False

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; raises the error that an error event stands for."""
        kind = event.get("type")
        if kind == _TEXT or kind == _REFUSAL:
            self._has_text = True
            return Chunk(str(event.get("delta") or ""))
        if kind in _THOUGHT:
            self._has_reasoning = True
            return Chunk(reasoning=str(event.get("delta") or ""))
        if kind in _LAST:
            self._whole = event.get("response")
        elif kind == "error" or kind is None:
            self._add_error(
                event if kind is None else {"error": event.get("error") or event}
            )
        return None

    def _add_error(self, event: dict[str, Any]) -> None:
        """Raise it, unless the filter took the rest: then the answer ends here."""
        if not is_filter_error(event):
            return raise_for_error(event)
        why = {"incomplete_details": {"reason": "content_filter"}}
        self._whole = {"status": "incomplete", **why, **event}

    def finish(self, *, wire: bytes = b"") -> Chunk:
        """The last chunk; raises TruncatedAnswerError if no last event came."""
        if not isinstance(self._whole, dict):
            raise truncated(wire)
        last = _chunk(self._whole, json.dumps(self._whole))
        if self._has_text:  # it came in pieces before
            last.text = ""
        if self._has_reasoning:
            last.reasoning = ""
        return last


def chunk_from_response(body: bytes) -> Chunk:
    """A whole response as one chunk; raises MalformedAnswerError."""
    answer = parse_json(body)
    if not isinstance(answer.get("output"), list):
        if is_filter_error(answer):
            return filtered(body)
        raise_for_error(answer)
        raise malformed("the answer has no output", body)
    return _chunk(answer, body.decode("utf-8", "replace"))


def _chunk(answer: dict[str, Any], raw: str) -> Chunk:
    if answer.get("status") == "failed" and not is_filter_error(answer):
        raise_for_error(answer)
    output = [item for item in answer.get("output") or [] if isinstance(item, dict)]
    parts = [
        part
        for item in output
        if item.get("type") == "message"
        for part in item.get("content") or []
        if isinstance(part, dict)
    ]
    usage, flags = usage_of(answer.get("usage"))
    return Chunk(
        text="".join(part.get("text") or part.get("refusal") or "" for part in parts),
        reasoning=_reasoning(output),
        finish_reason=_reason(answer, output, parts),
        usage=usage,
        response_model=text_or_none(answer.get("model")),
        raw=raw,
        flags=flags,
    )


def _reasoning(output: list[dict[str, Any]]) -> str:
    return "\n".join(
        str(part.get("text") or "")
        for item in output
        if item.get("type") == "reasoning"
        for part in (item.get("summary") or []) + (item.get("content") or [])
    )


def _reason(
    answer: dict[str, Any], output: list[dict[str, Any]], parts: list[dict[str, Any]]
) -> FinishReason:
    if answer.get("status") == "failed" and is_filter_error(answer):
        return FinishReason.CONTENT_FILTER
    if answer.get("status") == "incomplete":
        why = (answer.get("incomplete_details") or {}).get("reason")
        if why == "content_filter":
            return FinishReason.CONTENT_FILTER
        return FinishReason.LENGTH if why else FinishReason.UNKNOWN
    if any(part.get("type") == "refusal" for part in parts):
        return FinishReason.REFUSAL
    if any(item.get("type") in _CALLS for item in output):
        return FinishReason.TOOL_CALLS
    if answer.get("status") == "completed":
        return FinishReason.STOP
    return FinishReason.UNKNOWN
