"""Text completions, streamed or whole: the API of base models."""

import json
from typing import Any

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.runners.answers import (
    finish_reason,
    malformed,
    parse_json,
    raise_for_error,
    text_or_none,
    truncated,
    usage_of,
)


class CompletionAnswer:
    """One streamed text completion, assembled event by event."""

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._texts: list[str] = []
        self._usage: Any = None
        self._reason: Any = None
        self._others = False

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; raises the error that an error event stands for."""
        raise_for_error(event)
        self._top.update(event)
        if event.get("usage") is not None:
            self._usage = event["usage"]
        text = ""
        for choice in event.get("choices") or []:
            if choice.get("index"):
                self._others = True
                continue
            self._reason = choice.get("finish_reason") or self._reason
            text += text_or_none(choice.get("text")) or ""
        self._texts.append(text)
        return Chunk(text) if text else None

    def finish(self, *, wire: bytes = b"") -> Chunk:
        """The last chunk, with the assembled payload; raises TruncatedAnswerError."""
        reason = finish_reason(self._reason)
        if reason is None:
            raise truncated(wire)
        usage, flags = usage_of(self._usage)
        choice = {"text": "".join(self._texts), "finish_reason": self._reason}
        payload = {**self._top, "choices": [{"index": 0, **choice}]}
        return Chunk(
            finish_reason=reason,
            usage=usage,
            response_model=text_or_none(self._top.get("model")),
            system_fingerprint=text_or_none(self._top.get("system_fingerprint")),
            raw=json.dumps({**payload, "usage": self._usage}),
            flags=flags + (("extra_choices",) if self._others else ()),
        )


def chunk_from_completion(body: bytes) -> Chunk:
    """A whole text completion as one chunk; raises MalformedAnswerError."""
    answer = parse_json(body)
    raise_for_error(answer)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise malformed("the answer has no choices", body)
    usage, flags = usage_of(answer.get("usage"))
    return Chunk(
        text=text_or_none(choices[0].get("text")) or "",
        finish_reason=finish_reason(choices[0].get("finish_reason"))
        or FinishReason.UNKNOWN,
        usage=usage,
        response_model=text_or_none(answer.get("model")),
        system_fingerprint=text_or_none(answer.get("system_fingerprint")),
        raw=body.decode("utf-8", "replace"),
        flags=flags + (("extra_choices",) if len(choices) > 1 else ()),
    )
