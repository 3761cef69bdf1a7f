"""The loopback server: OpenAI's API, and the part of TGI's that clients use.

Hugging Face's client is given `/v1` as its base URL to chat; to generate text it
posts to the URL of one model, `/models/NAME`, which chats too.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from aistrale_lab.embedded.asking import ContextTooLong
from aistrale_lab.embedded.models import Model
from aistrale_lab.embedded.openai_api import respond
from aistrale_lab.embedded.replies import (
    Reply,
    RequestIds,
    field_path,
    openai_error,
    tgi_error,
)
from aistrale_lab.embedded.requests import (
    ChatRequest,
    CompletionRequest,
    GenerateRequest,
)
from aistrale_lab.embedded.tgi_api import TextGeneration

OWNER = "aistrale-lab"


class UnknownModel(Exception):
    """No model of that name is in the box."""


def make_app(models: Mapping[str, Model]) -> ASGIApp:
    """The server's application over some models."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(UnknownModel, _unknown_model)
    app.add_exception_handler(ContextTooLong, _too_long)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)

    def find(name: str) -> Model:
        model = models.get(name.removeprefix("embedded/"))
        if model is None:
            known = ", ".join(sorted(models))
            raise UnknownModel(f"The model {name!r} does not exist; models: {known}")
        return model

    _serve_openai(app, models, find)
    _serve_tgi(app, find)
    return RequestIds(app)


def _serve_openai(app: FastAPI, models: Mapping[str, Model], find: Any) -> None:
    @app.get("/v1/models")
    async def list_models() -> Response:
        described = [_described(name) for name in sorted(models)]
        return Reply({"object": "list", "data": described})

    @app.get("/v1/models/{name:path}")
    async def get_model(name: str) -> Response:
        find(name)
        return Reply(_described(name))

    @app.post("/v1/chat/completions")
    async def chat(asked: ChatRequest) -> Response:
        return await respond(find(asked.model), asked)

    @app.post("/v1/completions")
    async def complete(asked: CompletionRequest) -> Response:
        return await respond(find(asked.model), asked)

    @app.get("/health")
    async def health() -> Response:
        return Reply({"status": "ok"})


def _serve_tgi(app: FastAPI, find: Any) -> None:
    @app.post("/models/{name}")
    async def compatible(name: str, asked: GenerateRequest) -> Response:
        answer = TextGeneration(find(name), asked)
        return answer.streamed() if asked.stream else await answer.replied(in_list=True)

    @app.post("/models/{name}/generate")
    async def generate(name: str, asked: GenerateRequest) -> Response:
        return await TextGeneration(find(name), asked).replied(in_list=False)

    @app.post("/models/{name}/generate_stream")
    async def generate_stream(name: str, asked: GenerateRequest) -> Response:
        return TextGeneration(find(name), asked).streamed()

    @app.post("/models/{name}/v1/chat/completions")
    async def chat_with(name: str, asked: ChatRequest) -> Response:
        return await respond(find(name), asked.model_copy(update={"model": name}))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


async def _unknown_model(request: Request, error: Exception) -> Response:
    if _is_tgi(request):
        return tgi_error(404, str(error))
    return openai_error(404, str(error), param="model", code="model_not_found")


async def _too_long(request: Request, error: Exception) -> Response:
    if _is_tgi(request):
        return tgi_error(422, str(error), kind="validation")
    code = "context_length_exceeded"
    return openai_error(400, str(error), param="messages", code=code)


async def _invalid(request: Request, error: Exception) -> Response:
    """The deepest fault: of a union's faults it is the one of the type that was meant."""
    assert isinstance(error, RequestValidationError)
    fault = max(error.errors(), key=lambda fault: len(fault["loc"]))
    kind, path = fault["type"], field_path(fault["loc"])
    message = (
        f"{path}: {fault['msg']}" if path else f"The body is invalid: {fault['msg']}"
    )
    code = "invalid_type" if kind.endswith("_type") else "invalid_value"
    if kind == "missing" and path:
        message, code = (
            f"Missing required parameter: '{path}'.",
            "missing_required_parameter",
        )
    if kind == "json_invalid":
        message, path, code = "The body is no valid JSON.", "", "invalid_json"
    if _is_tgi(request):
        return tgi_error(422, message, kind="validation")
    return openai_error(400, message, param=path or None, code=code)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _is_tgi(request):
        return tgi_error(error.status_code, error.detail)
    return openai_error(error.status_code, error.detail)


async def _failed(request: Request, error: Exception) -> Response:
    """The border to a model's code; the server prints the traceback."""
    said = f"{type(error).__name__} in the model"
    if _is_tgi(request):
        return tgi_error(500, said, kind="generation")
    return openai_error(500, said, kind="server_error")


def _is_tgi(request: Request) -> bool:
    path = request.url.path
    return path.startswith("/models/") and "/v1/" not in path
