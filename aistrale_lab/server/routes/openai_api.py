"""OpenAI's chat completions, for every client of theirs, by a personal token."""

import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, Response

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.errors import ConfigError, LabError
from aistrale_lab.lab.asking import Asked, check_asked
from aistrale_lab.server.allowed import check_model
from aistrale_lab.server.calling import ClientLeftError, Item
from aistrale_lab.server.doors import TOKEN, GuardedRoute, door
from aistrale_lab.server.errors import log_error, message_of, status_of
from aistrale_lab.server.openai_errors import (
    SCHEMA,
    NoSuchModelError,
    error_in_openai,
)
from aistrale_lab.server.openai_forms import ChatCompletion, Chunks, whole
from aistrale_lab.server.routes.inference import CLIENT_LEFT, admissible
from aistrale_lab.server.sse import EventStream, event
from aistrale_lab.server.written import AsJSON

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["openai"])

DONE = b"data: [DONE]\n\n"


FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"content": {"application/json": {"schema": SCHEMA}}, "description": told}
    for code, told in {
        402: "The money is spent.",
        404: "There is no such model.",
        429: "Too much for now.",
        502: "The provider failed.",
        504: "The provider took too long.",
    }.items()
}


@router.post("/chat/completions", responses=FAILURES)
@door(TOKEN("inference"))
async def complete(body: ChatCompletion, request: Request) -> Response:
    """Ask a model; the call is recorded before its last word is told."""
    _check_name(request, body.model)
    asked = admissible(request, check_asked(body.model, body.messages, body.config()))
    calling = request.app.state.calling
    try:
        if body.stream:
            items = await calling.stream(request, asked)
            usage = bool(body.stream_options and body.stream_options.include_usage)
            return EventStream(_events(request, asked, items, usage=usage))
        return AsJSON(whole(await calling.ask(request, asked)))
    except ClientLeftError:
        return Response(status_code=CLIENT_LEFT)


@router.get("/models")
@door(TOKEN("inference"))
async def list_models(request: Request) -> Response:
    """The models that can be asked."""
    found = await request.app.state.catalogue.get()
    return AsJSON({"object": "list", "data": [_described(m) for m in found.models]})


@router.get("/models/{model:path}", responses={404: FAILURES[404]})
@door(TOKEN("inference"))
async def get_model(model: str, request: Request) -> Response:
    """A model, if its provider lists it."""
    _check_name(request, model)
    found = await request.app.state.catalogue.get()
    if model not in found.models:
        raise NoSuchModelError(f"no provider lists the model {model!r}")
    return AsJSON(_described(model))


def _check_name(request: Request, model: str) -> None:
    try:
        check_model(str(ModelRef.parse(model)), request.app.state.providers)
    except ConfigError as error:
        raise NoSuchModelError(error.message) from None


def _described(model: str) -> dict[str, Any]:
    owner = model.partition("/")[0]
    return {"id": model, "object": "model", "created": 0, "owned_by": owner}


async def _events(
    request: Request,
    asked: Asked,
    items: AsyncGenerator[Item, None],
    *,
    usage: bool,
) -> AsyncGenerator[bytes, None]:
    chunks = Chunks(asked, int(time.time()), usage=usage)
    try:
        yield event(chunks.first())
        async for item in items:
            if isinstance(item, Answer):
                for chunk in chunks.last(item):
                    yield event(chunk)
                yield DONE
            else:
                yield event(chunks.piece(item))
    except LabError as error:
        log_error(request, error)
        yield event(_fault(error))
    finally:
        await items.aclose()


def _fault(error: LabError) -> dict[str, Any]:
    return error_in_openai(status_of(error), type(error).__name__, message_of(error))
