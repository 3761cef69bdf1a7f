"""One-off calls to the models of the server, and which models there are."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Self

from fastapi import APIRouter, Request, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import FinishReason, GenerateConfig, Message
from aistrale_lab.errors import LabError
from aistrale_lab.lab.asking import Asked, check_asked
from aistrale_lab.server.allowed import MODEL, check_asked as check_allowed, check_model
from aistrale_lab.server.calling import ClientLeftError, Item
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors, fault_of, log_error
from aistrale_lab.server.sse import EventStream, event
from aistrale_lab.server.written import AsJSON
from aistrale_lab.store.writing import clean

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute, tags=["inference"])

CLIENT_LEFT = 499
"""What nobody reads: the client has closed the connection."""


ONE_OF_BOTH: list[JsonValue] = [
    {"required": [one], "properties": {one: {"not": {"type": "null"}}}}
    for one in ("inputs", "messages")
]


EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["piece", "answer", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}

ONE_OR_MORE = {
    "anyOf": [
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {"type": "null"},
    ]
}


class Config(GenerateConfig):
    """Settings of a call, each of its own type: true is no number here."""

    model_config = ConfigDict(strict=True)

    stop_sequences: Annotated[
        tuple[str, ...] | None, Field(strict=False), WithJsonSchema(ONE_OR_MORE)
    ] = None
    tools: tuple[dict[str, Any], ...] | None = Field(default=None, strict=False)


class Inference(BaseModel):
    """What is asked of a model: `inputs`, a question, or `messages`, a conversation.

    With `stream`, the answer is events: `piece`s {"text"} or {"reasoning"}, then one
    `answer` as it would be without; or `error`, whose content is that of an error.
    """

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, json_schema_extra={"oneOf": ONE_OF_BOTH}
    )

    model: Annotated[str, Field(pattern=MODEL, examples=["embedded/calculator"])]
    inputs: str | None = None
    messages: list[Message] | None = Field(default=None, min_length=1)
    config: Config = Config()
    stream: StrictBool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.inputs is None) == (self.messages is None):
            raise ValueError("give either inputs or messages")
        return self


class Tokens(BaseModel):
    """Tokens as the provider counted them; None: it did not say."""

    input: int | None
    output: int | None
    cached_input: int | None
    reasoning: int | None


class Answered(BaseModel):
    """An answer, whole: seconds, and USD as exact text (None: nobody knows)."""

    id: str
    model: str
    output: str
    reasoning: str | None
    finish_reason: FinishReason
    response_model: str | None
    tokens: Tokens
    duration_s: float | None
    time_to_first_token_s: float | None
    queue_s: float | None
    retry_wait_s: float | None
    attempts: int
    cost_usd: str | None


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    provider: str


class Models(BaseModel):
    """The models, and the providers whose list cannot be had at the moment."""

    items: list[Model]
    next: str | None = None
    missing: list[str]


@router.post(
    "/inference",
    response_model=Answered,
    responses={
        200: {"content": {"text/event-stream": {"schema": EVENT}}},
        **describe_errors(400, 402, 404, 429, 502, 504),
    },
)
@door(USER("inference"))
async def infer(body: Inference, request: Request) -> Response:
    """Ask a model; the call is recorded before it is answered."""
    asked = admissible(
        request,
        check_asked(body.model, body.messages or body.inputs or "", body.config),
    )
    calling = request.app.state.calling
    try:
        if body.stream:
            items = await calling.stream(request, asked)
            return EventStream(_events(request, items))
        answer = await calling.ask(request, asked)
    except ClientLeftError:
        return Response(status_code=CLIENT_LEFT)
    return AsJSON(told(answer))


@router.get("/models")
@door(USER("inference"))
async def list_models(request: Request) -> Models:
    """The models of all providers that the server's settings name."""
    found = await request.app.state.catalogue.get()
    items = [Model(id=name, provider=name.partition("/")[0]) for name in found.models]
    return Models(items=items, missing=sorted(found.missing))


def admissible(request: Request, asked: Asked) -> Asked:
    """The request as the server sends it; raises ConfigError for one it does not."""
    state = request.app.state
    check_model(str(asked.model), state.providers)
    return check_allowed(asked, most_tokens=state.settings.max_tokens)


def told(answer: Answer) -> dict[str, Any]:
    """What is told of an answer, in the words of `Answered`."""
    usage, timing = answer.usage, answer.timing
    return {
        "id": answer.id,
        "model": str(answer.model),
        "output": clean(answer.text),
        "reasoning": clean(answer.reasoning) or None,
        "finish_reason": answer.finish_reason,
        "response_model": answer.response_model,
        "tokens": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached_input": usage.cached_input_tokens,
            "reasoning": usage.reasoning_tokens,
        },
        "duration_s": timing.duration,
        "time_to_first_token_s": timing.time_to_first_token,
        "queue_s": timing.queue,
        "retry_wait_s": timing.retry_wait,
        "attempts": answer.attempts,
        "cost_usd": None if answer.cost is None else format(answer.cost, "f"),
    }


async def _events(
    request: Request, items: AsyncGenerator[Item, None]
) -> AsyncGenerator[bytes, None]:
    try:
        async for item in items:
            if isinstance(item, Answer):
                yield event(told(item), "answer")
                continue
            if item.reasoning:
                yield event({"reasoning": item.reasoning}, "piece")
            if item.text:
                yield event({"text": item.text}, "piece")
    except LabError as error:
        log_error(request, error)
        yield event(fault_of(request, error), "error")
    finally:
        await items.aclose()
