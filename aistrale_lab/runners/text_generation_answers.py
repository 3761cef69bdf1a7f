"""Answers of text-generation-inference and its kin, streamed or whole."""

import json
from typing import Any

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.runners.answers import (
    finish_reason,
    malformed,
    parse_json,
    truncated,
    usage_of,
)
from aistrale_lab.runners.huggingface_errors import raise_for_event


class TextGenerationAnswer:
    """One streamed text generation, assembled event by event.

    Special tokens are no text. The last event repeats the whole text and adds the
    details; it is the assembled payload.
    """

    def __init__(self) -> None:
        self._text = ""
        self._last: dict[str, Any] | None = None

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; the text it brought, if any; raises what an error event says."""
        raise_for_event(event)
        text = _token_text(event)
        whole = event.get("generated_text")
        if whole is not None:
            self._last = event
            if isinstance(whole, str) and whole.startswith(self._text):
                text = whole[len(self._text) :]
        self._text += text
        return Chunk(text) if text else None

    def finish(self, *, wire: bytes = b"") -> Chunk:
        """The last chunk; raises TruncatedAnswerError if no event was the last."""
        if self._last is None:
            raise truncated(wire)
        return _last_chunk(self._last, raw=json.dumps(self._last))


def text_generation_from_body(
    body: bytes, *, prompt_tokens: str | None = None
) -> Chunk:
    """A whole text generation as one chunk; raises MalformedAnswerError.

    `prompt_tokens` is what a header said of them, for want of a count in the body.
    """
    answer = parse_json(_unwrapped(body))
    raise_for_event(answer)
    text = answer.get("generated_text")
    if not isinstance(text, str):
        raise malformed("the answer has no generated_text", body)
    details = answer.get("details")
    if isinstance(details, dict) and prompt_tokens and prompt_tokens.isdecimal():
        details.setdefault("input_length", int(prompt_tokens))
    chunk = _last_chunk(answer, raw=body.decode("utf-8", "replace"))
    chunk.text = text
    return chunk


def _unwrapped(body: bytes) -> bytes:
    """The answer to one prompt may come as a list of one."""
    stripped = body.strip()
    if stripped.startswith(b"[") and stripped.endswith(b"]"):
        return stripped[1:-1]
    return body


def _last_chunk(answer: dict[str, Any], *, raw: str) -> Chunk:
    details = answer.get("details")
    details = details if isinstance(details, dict) else {}
    usage, flags = usage_of(
        {
            "input_tokens": _prompt_tokens(details),
            "output_tokens": details.get("generated_tokens"),
        }
    )
    return Chunk(
        finish_reason=finish_reason(details.get("finish_reason"))
        or FinishReason.UNKNOWN,
        usage=usage,
        raw=raw,
        flags=flags,
    )


def _prompt_tokens(details: dict[str, Any]) -> Any:
    prefill = details.get("prefill")
    if "input_length" not in details and isinstance(prefill, list) and prefill:
        return len(prefill)
    return details.get("input_length")


def _token_text(event: dict[str, Any]) -> str:
    token = event.get("token")
    if not isinstance(token, dict) or token.get("special"):
        return ""
    text = token.get("text")
    return text if isinstance(text, str) else ""
