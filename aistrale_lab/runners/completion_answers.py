"""Text completions, streamed or whole: the API of base models."""

import json
from typing import Any

from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.runners.answers import (
    filtered,
    finish_reason,
    is_filter_error,
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
        self._rest: dict[str, Any] = {}
        self._others: dict[Any, dict[str, Any]] = {}

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; raises the error that an error event stands for."""
        if is_filter_error(event):
            self._reason = "content_filter"
        else:
            raise_for_error(event)
        self._top.update(event)
        if event.get("usage") is not None:
            self._usage = event["usage"]
        text = ""
        for choice in event.get("choices") or []:
            if choice.get("index"):
                self._add_other(choice)
                continue
            self._reason = choice.get("finish_reason") or self._reason
            text += text_or_none(choice.get("text")) or ""
            if choice.get("logprobs"):
                _join(self._rest, {"logprobs": choice["logprobs"]})
        self._texts.append(text)
        return Chunk(text) if text else None

    def finish(self, *, wire: bytes = b"") -> Chunk:
        """The last chunk, with the assembled payload; raises TruncatedAnswerError."""
        reason = finish_reason(self._reason)
        if reason is None:
            raise truncated(wire)
        usage, flags = usage_of(self._usage)
        choice = {"index": 0, "text": "".join(self._texts), **self._rest}
        choice["finish_reason"] = self._reason
        payload = {**self._top, "choices": [choice, *self._others.values()]}
        return Chunk(
            finish_reason=reason,
            usage=usage,
            response_model=text_or_none(self._top.get("model")),
            system_fingerprint=text_or_none(self._top.get("system_fingerprint")),
            raw=json.dumps({**payload, "usage": self._usage}),
            flags=flags + (("extra_choices",) if self._others else ()),
        )

    def _add_other(self, choice: dict[str, Any]) -> None:
        """Keep a choice that was not asked for, for the record."""
        _join(self._others.setdefault(choice["index"], {}), choice)


def _join(into: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add what came: texts are joined, lists lengthened, the rest replaced."""
    for name, value in piece.items():
        old = into.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _join(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            old += value
        elif name == "text" and isinstance(old, str) and isinstance(value, str):
            into[name] = old + value
        elif value is not None or name not in into:
            into[name] = list(value) if isinstance(value, list) else value


def chunk_from_completion(body: bytes) -> Chunk:
    """A whole text completion as one chunk; raises MalformedAnswerError."""
    answer = parse_json(body)
    if is_filter_error(answer):
        return filtered(body)
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
