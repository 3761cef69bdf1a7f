"""OpenAI's chat completions and completions, whole and streamed."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.models import Model
from aistrale_lab.embedded.replies import DONE, Events, Reply, around, event, text
from aistrale_lab.embedded.requests import ChatRequest, CompletionRequest

Said = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where the two APIs put a text."""

    prefix: str
    whole: str
    piece: str
    message: Callable[[str], Said]
    delta: Callable[[str], Said]
    opening: Said | None
    closing: Said


_CHAT = _Shape(
    prefix="chatcmpl",
    whole="chat.completion",
    piece="chat.completion.chunk",
    message=lambda said: {
        "message": {
            "role": "assistant",
            "content": said,
            "refusal": None,
            "annotations": [],
        }
    },
    delta=lambda said: {"delta": {"content": said}},
    opening={"delta": {"role": "assistant", "content": "", "refusal": None}},
    closing={"delta": {}},
)
_TEXT = _Shape(
    prefix="cmpl",
    whole="text_completion",
    piece="text_completion",
    message=lambda said: {"text": said},
    delta=lambda said: {"text": said},
    opening=None,
    closing={"text": ""},
)


async def respond(model: Model, asked: ChatRequest | CompletionRequest) -> Response:
    """The answer to a request: `n` choices for each of its conversations."""
    shape = _CHAT if isinstance(asked, ChatRequest) else _TEXT
    runs = [
        Generation(
            pieces=model.answer(turns, asked.sampling),
            limit=asked.limit,
            stops=asked.stops,
        )
        for turns in asked.conversations
        for _ in range(asked.n or 1)
    ]
    head = {
        "id": f"{shape.prefix}-{uuid.uuid4().hex}",
        "object": shape.piece if asked.stream else shape.whole,
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": None,
    }
    if asked.stream:
        return Events(_events(shape, head, runs, model, asked))
    choices = [
        _choice(
            index,
            shape.message("".join([text async for text in run.live()])),
            run.finish_reason,
        )
        for index, run in enumerate(runs)
    ]
    return Reply({**head, "choices": choices, "usage": _usage(model, asked, runs)})


async def _events(
    shape: _Shape,
    head: Said,
    runs: list[Generation],
    model: Model,
    asked: ChatRequest | CompletionRequest,
) -> AsyncIterator[bytes]:
    usage: Said = {"usage": None} if asked.with_usage else {}

    def chunk(index: int, said: Said, reason: str | None = None) -> Said:
        return {**head, "choices": [_choice(index, said, reason)], **usage}

    mark = uuid.uuid4().hex
    for index, run in enumerate(runs):
        if shape.opening is not None:
            yield event(chunk(index, shape.opening))
        before, after = around(chunk(index, shape.delta(mark)), mark)
        async for said in run.live():
            yield before + text(said) + after
        yield event(chunk(index, shape.closing, run.finish_reason))
    if asked.with_usage:
        yield event({**head, "choices": [], "usage": _usage(model, asked, runs)})
    yield DONE


def _choice(index: int, said: Said, reason: str | None) -> Said:
    return {"index": index, **said, "logprobs": None, "finish_reason": reason}


def _usage(
    model: Model, asked: ChatRequest | CompletionRequest, runs: list[Generation]
) -> dict[str, int]:
    """Tokens of all turns, without any for the roles, and of all choices."""
    turns = (text for turns in asked.conversations for _, text in turns)
    prompt = sum(map(model.count, turns))
    completion = sum(run.tokens for run in runs)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
