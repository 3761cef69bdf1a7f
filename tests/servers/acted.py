"""A loopback chat server whose models are parts to be acted: right, slow, refused."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Failure = tuple[int, str, str]
"""HTTP status, OpenAI's error code, and the message."""

FAILURES: dict[str, Failure] = {
    "refused": (401, "invalid_api_key", "Incorrect API key provided"),
    "picky": (400, "invalid_request", "this question is not allowed"),
    "down": (500, "server_error", "the machine is on fire"),
}


class ActedServer:
    """Speaks chat completions over HTTP, streamed or not, in threads of its own.

    The model's name is its part: `right` adds the numbers of the question, `loud`
    says `text`, `impostor` answers as another model, `slow` adds after `delay` seconds, `stuck` says nothing until the
    server closes, `refused` gives 401, `down` 500, and `picky` gives 400 for a
    question with 7 in it. `calls` counts the calls of each (model, question), and
    `limits` are the tokens that each call's answer might have, as the last was asked.
    """

    def __init__(self, *, delay: float = 0.2, text: str = "") -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.limits: dict[tuple[str, str], int | None] = {}
        self.delay = delay
        self.text = text
        self.closing = threading.Event()
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "ActedServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def arrive(self, model: str, question: str) -> None:
        with self._arrived:
            self.calls[model, question] += 1
            self._arrived.notify_all()

    def wait_for_calls(self, number: int, timeout: float = 60.0) -> None:
        """Block until so many calls came in all."""
        with self._arrived:
            enough = self._arrived.wait_for(
                lambda: self.calls.total() >= number, timeout
            )
        assert enough, f"only {self.calls.total()} of {number} calls came"


def _handler(server: ActedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            model, question = asked["model"], asked["messages"][-1]["content"]
            limit = asked.get("max_completion_tokens", asked.get("max_tokens"))
            server.limits[model, question] = limit
            server.arrive(model, question)
            if model == "stuck":
                server.closing.wait()
            if model == "slow":
                time.sleep(server.delay)
            if model in FAILURES and (model != "picky" or "7" in question):
                self._fail(*FAILURES[model])
            else:
                text = server.text if model == "loud" else _sum_of(question)
                model = "somebody-else" if model == "impostor" else model
                self._say(model, text, stream=asked.get("stream", False))

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _fail(self, status: int, code: str, message: str) -> None:
            error = {"message": message, "type": code, "code": code, "param": None}
            body = json.dumps({"error": error}).encode()
            self._send(status, "application/json", body)

        def _say(self, model: str, text: str, *, stream: bool) -> None:
            if not stream:
                body = json.dumps(_whole(model, text)).encode()
                self._send(200, "application/json", body)
                return
            events = [_event(model, text), _event(model, "", finish="stop")]
            events.append({**_event(model, ""), "choices": [], "usage": USAGE})
            lines = [b"data: " + json.dumps(e).encode() + b"\n\n" for e in events]
            body = b"".join(lines) + b"data: [DONE]\n\n"
            self._send(200, "text/event-stream", body)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True

    return Handler


USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def _sum_of(question: str) -> str:
    return str(sum(int(word) for word in question.split() if word.isdigit()))


def _whole(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-acted",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def _event(model: str, text: str, *, finish: str | None = None) -> dict[str, Any]:
    delta = {"role": "assistant", "content": text} if text else {}
    return {
        "id": "chatcmpl-acted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
