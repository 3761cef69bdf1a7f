"""Real recorded answers, served byte for byte, have the outcome they should have."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from aistrale_lab.domain.chat import Chunk, GenerateConfig, Message, Request, Usage
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.openai import OpenAIRunner

STATUS_ERRORS = {
    400: {"InvalidRequestError", "ContextLengthError", "ModelNotFoundError"},
    401: {"AuthenticationError"},
    404: {"ModelNotFoundError"},
}
PASSED_ON = {"model", "messages", "input", "prompt", "stream", "stream_options"}


def recorded(shared_data: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(shared_data / "wire_answers.jsonl.gz", "rt") as lines:
        yield from map(json.loads, lines)


class ByteServer:
    """Serves one recorded answer at a time, byte for byte."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {}
        self.base_url = ""
        self.asked: Any = None

    async def __aenter__(self) -> "ByteServer":
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked = await request.json()
        dropped = {"content-length", "transfer-encoding", "content-encoding"}
        headers = {
            name: value
            for name, value in self.now["headers"].items()
            if name.lower() not in dropped
        }
        return web.Response(
            status=self.now["status"], headers=headers, body=self.now["body"].encode()
        )


def api_of(path: str) -> Any:
    if "responses" in path:
        return "responses"
    return "chat" if "chat/completions" in path else "completions"


def request_of(line: dict[str, Any]) -> Request:
    asked = line["request"] or {}
    extra = {name: value for name, value in asked.items() if name not in PASSED_ON}
    for name in ("messages", "input", "prompt"):
        if name in asked:
            extra[name] = asked[name]
    return Request(
        model=asked.get("model") or "recorded",
        messages=(Message(role="user", content="recorded"),),
        config=GenerateConfig(extra=extra),
        stream=bool(asked.get("stream")),
    )


async def answered(runner: OpenAIRunner, request: Request) -> Any:
    """The joined text and the last chunk, or the error."""
    text, last = "", Chunk()
    try:
        async for chunk in runner.stream(request):
            text += chunk.text
            last = chunk
    except RunnerError as error:
        return error
    return text, last


@pytest.mark.timeout(300)
async def test_every_recorded_answer_has_the_right_outcome(shared_data: Path) -> None:
    faults = []
    seen: Counter[str] = Counter()
    async with ByteServer() as server:
        runners = {
            api: OpenAIRunner(
                Endpoint(
                    provider="openai",
                    kind="openai",
                    base_url=server.base_url,
                    key=SecretStr("sk-loopback"),
                    api=api,
                )
            )
            for api in ("chat", "responses", "completions")
        }
        for line in recorded(shared_data):
            server.now = line
            found = await answered(runners[api_of(line["path"])], request_of(line))
            outcome, fault = judge(line, found)
            seen[outcome] += 1
            if fault:
                faults.append(f"{line['n']} {line['path']} {fault}")
        for runner in runners.values():
            await runner.close()

    assert faults == []
    assert seen.total() == 854
    assert {"stop", "tool_calls", "refusal", "content_filter", "length"} <= set(seen)


def judge(line: dict[str, Any], found: Any) -> tuple[str, str | None]:
    """The outcome's name, and what is wrong with it by the recorded body alone."""
    want = expected(line)
    if isinstance(found, RunnerError):
        name = type(found).__name__
        if want["error"] is None or name not in want["error"]:
            return name, f"{name}: {found.message}"
        return name, None
    text, last = found
    reason = str(last.finish_reason)
    if want["error"]:
        return reason, f"{reason} instead of {want['error']}"
    for what, got in (
        ("text", text),
        ("reason", reason),
        ("usage", last.usage),
        ("model", last.response_model),
    ):
        if want[what] != got:
            return reason, f"{what}: {got!r:.200} instead of {want[what]!r:.200}"
    return reason, None


def expected(line: dict[str, Any]) -> dict[str, Any]:
    if line["status"] != 200:
        return {"error": STATUS_ERRORS[line["status"]]}
    events = events_of(line["body"])
    if not line["body"]:
        return {"error": {"MalformedAnswerError"}}
    if events is None:
        return expected_whole(line["path"], json.loads(line["body"]))
    if api_of(line["path"]) == "responses":
        return expected_whole(line["path"], events[-1]["response"])
    return expected_stream(line["path"], events)


def events_of(body: str) -> list[dict[str, Any]] | None:
    if not body.lstrip().startswith(("data:", "event:", ":")):
        return None
    lines = body.replace("\r\n", "\n").split("\n")
    payloads = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(payload) for payload in payloads if payload != "[DONE]"]


def expected_whole(path: str, body: dict[str, Any]) -> dict[str, Any]:
    if api_of(path) == "responses":
        return expected_response(body)
    if body.get("error"):
        return {"error": None, **outcome("", "content_filter", None, None)}
    choice = body["choices"][0]
    if api_of(path) == "completions":
        text, reason = choice["text"], choice["finish_reason"]
        return {"error": None, **outcome(text, reason, body.get("usage"), body)}
    message = choice.get("message")
    if message is None:
        return {
            "error": None,
            **outcome("", "content_filter", body.get("usage"), body),
        }
    reason = choice.get("finish_reason") or "unknown"
    if message.get("refusal") and reason == "stop":
        reason = "refusal"
    text = message.get("content") or message.get("refusal") or ""
    return {"error": None, **outcome(text, reason, body.get("usage"), body)}


def expected_stream(path: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    text, refusal, reason, usage = "", "", None, None
    for event in events:
        usage = event.get("usage") or usage
        for choice in event.get("choices") or []:
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            text += delta.get("content") or choice.get("text") or ""
            refusal += delta.get("refusal") or ""
            reason = choice.get("finish_reason") or reason
    if reason is None:
        return {"error": {"TruncatedAnswerError"}}
    if refusal and reason == "stop":
        reason = "refusal"
    return {"error": None, **outcome(text + refusal, reason, usage, events[-1])}


def expected_response(body: dict[str, Any]) -> dict[str, Any]:
    parts = [
        part
        for item in body["output"]
        if item["type"] == "message"
        for part in item["content"]
    ]
    text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
    kinds = {item["type"] for item in body["output"]}
    reason = "stop"
    if body["status"] == "incomplete":
        why = body["incomplete_details"]["reason"]
        reason = "content_filter" if why == "content_filter" else "length"
    elif any(part["type"] == "refusal" for part in parts):
        reason = "refusal"
    elif kinds & {"function_call", "custom_tool_call", "mcp_approval_request"}:
        reason = "tool_calls"
    elif body["status"] != "completed":
        reason = "unknown"
    return {"error": None, **outcome(text, reason, body.get("usage"), body)}


def outcome(text: str, reason: str, usage: Any, body: Any) -> dict[str, Any]:
    if reason == "function_call":
        reason = "tool_calls"
    said = usage or {}
    inside = said.get("prompt_tokens_details") or said.get("input_tokens_details") or {}
    outside = (
        said.get("completion_tokens_details") or said.get("output_tokens_details") or {}
    )
    return {
        "text": text,
        "reason": reason,
        "usage": Usage(
            input_tokens=said.get("prompt_tokens", said.get("input_tokens")),
            output_tokens=said.get("completion_tokens", said.get("output_tokens")),
            cached_input_tokens=inside.get("cached_tokens"),
            reasoning_tokens=outside.get("reasoning_tokens"),
        ),
        "model": (body or {}).get("model") or None,
    }
