"""The loopback server: OpenAI's API, and the part of TGI's that clients use."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.models import MODELS, Model, Turn, count_tokens
from aistrale_lab.embedded.requests import (
    MOST_TOKENS,
    ChatRequest,
    CompletionRequest,
    GenerateRequest,
)

OWNER = "aistrale-lab"
YIELD_EVERY = 16
"""Tokens after which other requests get a turn."""


class UnknownModel(Exception):
    """No model of that name is in the box."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def make_app(models: Mapping[str, Model] = MODELS) -> FastAPI:
    """The server's application over some models."""
    app = FastAPI(title="AISTRALE Lab embedded models", docs_url=None, redoc_url=None)
    app.add_exception_handler(UnknownModel, _unknown_model)
    app.add_exception_handler(RequestValidationError, _invalid)

    def find(name: str) -> Model:
        model = models.get(name.removeprefix("embedded/"))
        if model is None:
            raise UnknownModel(name)
        return model

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [_described(name) for name in models]}

    @app.get("/v1/models/{name:path}")
    async def get_model(name: str) -> dict[str, Any]:
        find(name)
        return _described(name)

    @app.post("/v1/chat/completions")
    async def chat(asked: ChatRequest) -> Response:
        return _respond(find(asked.model), asked, "chat.completion")

    @app.post("/v1/completions")
    async def complete(asked: CompletionRequest) -> Response:
        return _respond(find(asked.model), asked, "text_completion")

    @app.post("/models/{name}")
    @app.post("/models/{name}/generate")
    async def generate(name: str, asked: GenerateRequest) -> Response:
        return _generated(find(name), asked)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _respond(
    model: Model, asked: ChatRequest | CompletionRequest, kind: str
) -> Response:
    runs = [
        Generation(
            pieces=model.answer(asked.turns, asked.sampling),
            limit=asked.limit,
            stops=asked.stops,
        )
        for _ in range(asked.n)
    ]
    head = {"id": f"{kind}-{uuid.uuid4().hex}", "created": int(time.time())}
    head["model"] = asked.model
    headers = {"x-request-id": f"req_{uuid.uuid4().hex}"}
    if asked.stream:
        events = _events(head, kind, runs, asked)
        return StreamingResponse(
            events, media_type="text/event-stream", headers=headers
        )
    choices = [_choice(kind, index, run) for index, run in enumerate(runs)]
    body = {"object": kind, **head, "choices": choices}
    return JSONResponse(body | {"usage": _usage(asked.turns, runs)}, headers=headers)


def _choice(kind: str, index: int, run: Generation) -> dict[str, Any]:
    text = run.whole()
    said: dict[str, Any] = {"text": text}
    if kind == "chat.completion":
        message = {"role": "assistant", "content": text, "refusal": None}
        said = {"message": message}
    reason = {"logprobs": None, "finish_reason": run.finish_reason}
    return {"index": index, **said, **reason}


async def _events(
    head: dict[str, Any],
    kind: str,
    runs: list[Generation],
    asked: ChatRequest | CompletionRequest,
) -> AsyncIterator[bytes]:
    is_chat = kind == "chat.completion"
    head = {"object": f"{kind}.chunk" if is_chat else kind, **head}
    usage = {"usage": None} if asked.with_usage else {}

    def event(index: int, said: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": index, **said, "logprobs": None, "finish_reason": reason}
        return _sse({**head, "choices": [choice], **usage})

    for index, run in enumerate(runs):
        if is_chat:
            yield event(index, {"delta": {"role": "assistant", "content": ""}})
        for number, text in enumerate(run.texts(), start=1):
            yield event(
                index, {"delta": {"content": text}} if is_chat else {"text": text}
            )
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        said: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
        yield event(index, said, run.finish_reason)
    if asked.with_usage:
        yield _sse({**head, "choices": [], "usage": _usage(asked.turns, runs)})
    yield b"data: [DONE]\n\n"


def _generated(model: Model, asked: GenerateRequest) -> Response:
    settings = asked.parameters
    run = Generation(
        pieces=model.answer([("user", asked.inputs)], _sampling(settings)),
        limit=settings.max_new_tokens or MOST_TOKENS,
        stops=settings.stop or [],
    )
    if asked.stream:
        return StreamingResponse(_tgi_events(run), media_type="text/event-stream")
    answer: dict[str, Any] = {"generated_text": run.whole()}
    if settings.details:
        answer["details"] = _tgi_details(run) | {"prefill": [], "tokens": []}
    return JSONResponse([answer])


def _tgi_events(run: Generation) -> Iterator[bytes]:
    said = ""
    held: str | None = None
    for text in run.texts():
        if held is not None:
            yield _tgi_event(held, run)
        said, held = said + text, text
    last = {"generated_text": said, "details": _tgi_details(run)}
    yield _tgi_event(held or "", run, last)


def _tgi_event(text: str, run: Generation, last: dict[str, Any] | None = None) -> bytes:
    token = {"id": run.tokens, "text": text, "logprob": 0.0, "special": False}
    ending = last or {"generated_text": None, "details": None}
    return _sse({"index": run.tokens, "token": token, **ending})


def _tgi_details(run: Generation) -> dict[str, Any]:
    reason = "length" if run.finish_reason == "length" else "eos_token"
    return {"finish_reason": reason, "generated_tokens": run.tokens, "seed": None}


def _sampling(settings: Any) -> Any:
    from aistrale_lab.embedded.models import Sampling

    return Sampling(
        temperature=settings.temperature or 0.0,
        top_p=settings.top_p or 1.0,
        seed=settings.seed,
    )


def _usage(turns: list[Turn], runs: list[Generation]) -> dict[str, int]:
    asked, said = count_tokens(turns), sum(run.tokens for run in runs)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
    }


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


def _sse(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


async def _unknown_model(request: Request, error: Exception) -> Response:
    known = ", ".join(sorted(MODELS))
    said = f"the model {str(error)!r} does not exist; models: {known}"
    return _error(404, said, "model_not_found", "invalid_request_error")


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}"
        for fault in error.errors()
    )
    return _error(400, faults, None, "invalid_request_error")


def _error(status: int, message: str, code: str | None, kind: str) -> Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    headers = {"x-request-id": f"req_{uuid.uuid4().hex}"}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
