"""Real runners on lanes of the engine, and the answers a loopback server gives them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from aistrale_lab.domain.chat import GenerateConfig, Message, Request
from aistrale_lab.domain.runs import RunSpec, SampleResult
from aistrale_lab.domain.tasks import ModelRef, Sample
from aistrale_lab.engine.execute import Job, execute
from aistrale_lab.engine.generate import Lane, Policy, generate
from aistrale_lab.engine.outcome import Outcome
from aistrale_lab.engine.pace import Pace
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.watch import LagWatch, Turnstile
from aistrale_lab.runners.base import Endpoint, Runner
from aistrale_lab.runners.registry import make_runner
from servers.canned import Canned

KEY = "sk-SECRETSECRET0123"
MODEL = "org/name"
KINDS = ("openai", "huggingface")
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


@asynccontextmanager
async def open_lane(
    base_url: str, *, kind: str = "openai", concurrency: int = 4, **policy: float
) -> AsyncIterator[Lane]:
    """A lane whose runner asks that address; its waits are short unless told."""
    runner = runner_of(base_url, kind=kind)
    settings = {"backoff": 0.001, "longest_wait": 2.0, "timeout": 10.0, **policy}
    await runner.open()
    try:
        yield Lane(
            runner=runner,
            pace=Pace(
                concurrency=concurrency,
                backoff=settings["backoff"],
                longest_wait=settings["longest_wait"],
            ),
            policy=Policy.model_validate(settings),
            lag=LagWatch(),
            turnstile=Turnstile(),
            price=lambda usage: Decimal("0.01"),
        )
    finally:
        await runner.close()


def runner_of(base_url: str, *, kind: str = "openai", **fields: Any) -> Runner:
    """The runner of an endpoint at that address."""
    return make_runner(
        Endpoint(
            provider=kind, kind=kind, base_url=base_url, key=SecretStr(KEY), **fields
        )
    )


async def ask(base_url: str, *, request: Request | None = None, **lane: Any) -> Outcome:
    """What becomes of one question put to that address."""
    async with open_lane(base_url, **lane) as opened:
        return await generate(opened, request or question())


async def run(
    base_url: str, *, samples: int = 8, stream: bool = True, **lane: Any
) -> tuple[Job, list[SampleResult]]:
    """A whole lane of questions put to that address: how it ended, what was kept."""
    kept: list[SampleResult] = []

    async def keep(sample: Sample, found: SampleResult) -> None:
        kept.append(found)

    async with open_lane(base_url, **lane) as opened:
        job = make_job(opened, samples=samples, stream=stream)
        await execute([job], keep)
    return job, kept


def make_job(
    lane: Lane, *, samples: int = 8, stream: bool = True, concurrency: int = 4
) -> Job:
    """So many questions for one lane."""
    return Job(
        spec=RunSpec(
            run_id="r",
            experiment_id="e",
            model=ModelRef(provider="p", model=MODEL),
            config=GenerateConfig(),
            stream=stream,
        ),
        lane=lane,
        samples=[Sample(id=str(n), input=f"{n}+{n}?") for n in range(samples)],
        epochs=1,
        render=lambda sample: (Message(role="user", content=str(sample.input)),),
        skip=lambda sample_id, epoch: False,
        progress=LaneProgress("r", MODEL, "", total=samples),
        concurrency=concurrency,
    )


def question(*, stream: bool = True, text: str = "2+2?", **fields: Any) -> Request:
    """One question."""
    messages = (Message(role="user", content=text),)
    return Request(model=MODEL, messages=messages, stream=stream, **fields)


def sse(
    *events: Any, done: bool = True, headers: dict[str, str] | None = None, **more: Any
) -> Canned:
    """A streamed answer of these events; strings and bytes go out as they are."""
    lines = [b"data: " + _payload(event) + b"\n\n" for event in events]
    lines += [b"data: [DONE]\n\n"] if done else []
    kind = {"content-type": "text/event-stream", **(headers or {})}
    return Canned(lines, headers=kind, **more)


def delta(finish: str | None = None, usage: Any = None, **said: Any) -> dict[str, Any]:
    """One event of a streamed chat."""
    choice = {"index": 0, "delta": said, "finish_reason": finish}
    return {"id": "x", "model": MODEL, "choices": [choice], "usage": usage}


def four(**more: Any) -> Canned:
    """A good streamed answer."""
    return sse(delta(content="It is"), delta(content=" 4"), LAST, **more)


def whole(
    content: Any = "It is 4", finish: Any = "stop", usage: Any = USAGE, **message: Any
) -> Canned:
    """A good answer in one piece."""
    said = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return said_by(200, {"model": MODEL, "choices": [choice], "usage": usage})


def said_by(status: int, body: Any, **headers: str) -> Canned:
    """An answer of that status; a body that is no bytes goes out as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Canned(_payload(body), status=status, headers=named)


def refusal(
    status: int, message: str, code: str | None = None, **headers: str
) -> Canned:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": "error", "param": None, "code": code}
    return said_by(status, {"error": error}, **headers)


def texts(found: Sequence[SampleResult]) -> list[str]:
    """The texts of all that were answered."""
    return [result.completion.text for result in found if result.completion]


def _payload(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


LAST = delta("stop", usage=USAGE)
