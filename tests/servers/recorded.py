"""A loopback server that answers with recorded answers and counts every call."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from aiohttp import web

Answers = Mapping[tuple[str, str], str]
"""(model, question) to the text that was recorded."""

DOUBLES = {f"What is {n} + {n}?": str(2 * n) for n in range(1, 21)}
"""Questions and their right answers."""


class RecordedServer:
    """Speaks chat completions, streamed or not, from a thread of its own.

    `calls` counts the calls of each (model, question) that arrived; `reached` is set
    once `notice_at` of them have. `delay` is in seconds and may be changed.
    """

    def __init__(self, answers: Answers, *, delay: float = 0.0) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.answered = 0
        self.in_flight = 0
        self.peak = 0
        self.base_url = ""
        self.reached = threading.Event()
        self.notice_at: int | None = None
        self._answers = answers
        self.delay = delay
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "RecordedServer":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        application.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=0.1,
            handler_cancellation=True,
        )
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()

    async def _list(self, request: web.Request) -> web.Response:
        names = sorted({model for model, _ in self._answers})
        models = [
            {"id": name, "object": "model", "created": 1, "owned_by": "the test"}
            for name in names
        ]
        return web.json_response({"object": "list", "data": models})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        key = (asked["model"], asked["messages"][-1]["content"])
        self.calls[key] += 1
        if self.notice_at is not None and self.calls.total() >= self.notice_at:
            self.reached.set()
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            text = self._answers.get(key)
            if text is None:
                error = {"message": "no such model", "code": "model_not_found"}
                return web.json_response({"error": error}, status=404)
            if asked.get("stream"):
                return await _streamed(request, asked["model"], text)
            return web.json_response(_whole(asked["model"], text))
        finally:
            self.in_flight -= 1
            self.answered += 1


def _usage(text: str) -> dict[str, int]:
    words = len(text.split())
    return {"prompt_tokens": 10, "completion_tokens": words, "total_tokens": 10 + words}


def _whole(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-recorded",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(text),
    }


async def _streamed(request: web.Request, model: str, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    cut = [text[start : start + 40] for start in range(0, len(text), 40)]
    events = [_event(model, {"role": "assistant", "content": ""})]
    events += [_event(model, {"content": piece}) for piece in cut]
    events.append(_event(model, {}, finish="stop"))
    events.append({**_event(model, {}), "choices": [], "usage": _usage(text)})
    body = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events)
    await response.write(body + b"data: [DONE]\n\n")
    return response


def _event(
    model: str, delta: dict[str, str], finish: str | None = None
) -> dict[str, Any]:
    return {
        "id": "chatcmpl-recorded",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def doubling_server() -> RecordedServer:
    """Knows the answer to every one of DOUBLES as `large`; `small` always says 2."""
    answers = {("large", question): answer for question, answer in DOUBLES.items()}
    answers |= {("small", question): "2" for question in DOUBLES}
    return RecordedServer(answers)
