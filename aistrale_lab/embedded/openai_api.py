"""OpenAI's chat completions and completions, whole and streamed."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi.responses import Response

from aistrale_lab.embedded.asking import make_generation
from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.logprobs import chat_logprobs, completion_logprobs
from aistrale_lab.embedded.models import Model, Token
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
    logprobs: Callable[[Sequence[Token], int], Said]
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
    logprobs=lambda tokens, offset: chat_logprobs(tokens),
    opening={"delta": {"role": "assistant", "content": "", "refusal": None}},
    closing={"delta": {}},
)
_TEXT = _Shape(
    prefix="cmpl",
    whole="text_completion",
    piece="text_completion",
    message=lambda said: {"text": said},
    delta=lambda said: {"text": said},
    logprobs=completion_logprobs,
    opening=None,
    closing={"text": ""},
)


async def respond(model: Model, asked: ChatRequest | CompletionRequest) -> Response:
    """The answer to a request: `n` choices for each of its conversations.

    Raises ContextTooLong if the model has no room for one of them.
    """
    shape = _CHAT if isinstance(asked, ChatRequest) else _TEXT
    runs = _runs(model, asked)
    head = {
        "id": f"{shape.prefix}-{uuid.uuid4().hex}",
        "object": shape.piece if asked.stream else shape.whole,
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": None,
    }
    if asked.stream:
        return Events(_events(shape, head, runs, model, asked))
    wholes = await asyncio.gather(*(run.whole() for run in runs))
    has_logprobs = asked.alternatives is not None
    choices = [
        _choice(
            index,
            shape.message(whole.text),
            run.finish_reason,
            shape.logprobs(whole.tokens, 0) if has_logprobs else None,
        )
        for index, (run, whole) in enumerate(zip(runs, wholes, strict=True))
    ]
    return Reply({**head, "choices": choices, "usage": _usage(model, asked, runs)})


def _runs(model: Model, asked: ChatRequest | CompletionRequest) -> list[Generation]:
    sampling = replace(asked.sampling, alternatives=asked.alternatives or 0)
    return [
        make_generation(
            model,
            turns,
            replace(sampling, choice=choice),
            limit=asked.limit,
            stops=asked.stops,
        )
        for turns in asked.conversations
        for choice in range(asked.n or 1)
    ]


async def _events(
    shape: _Shape,
    head: Said,
    runs: list[Generation],
    model: Model,
    asked: ChatRequest | CompletionRequest,
) -> AsyncIterator[bytes]:
    usage: Said = {"usage": None} if asked.with_usage else {}

    def chunk(index: int, said: Said, **more: Any) -> Said:
        return {**head, "choices": [_choice(index, said, **more)], **usage}

    mark = uuid.uuid4().hex
    for index, run in enumerate(runs):
        if shape.opening is not None:
            yield event(chunk(index, shape.opening))
        before, after = around(chunk(index, shape.delta(mark)), mark)
        offset = 0
        async for piece in run.pieces():
            if asked.alternatives is None:
                yield before + text(piece.text) + after
                continue
            logprobs = shape.logprobs(piece.tokens, offset)
            offset += len(piece.text)
            yield event(chunk(index, shape.delta(piece.text), logprobs=logprobs))
        yield event(chunk(index, shape.closing, reason=run.finish_reason))
    if asked.with_usage:
        yield event({**head, "choices": [], "usage": _usage(model, asked, runs)})
    yield DONE


def _choice(
    index: int, said: Said, reason: str | None = None, logprobs: Said | None = None
) -> Said:
    return {"index": index, **said, "logprobs": logprobs, "finish_reason": reason}


def _usage(
    model: Model, asked: ChatRequest | CompletionRequest, runs: list[Generation]
) -> dict[str, int]:
    """Tokens of all conversations, and of all choices."""
    prompt = sum(map(model.prompt_tokens, asked.conversations))
    completion = sum(run.made for run in runs)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
