"""The part of text-generation-inference's API that Hugging Face's client uses.

Unlike TGI, an answer ends before the stop sequence, as it does in OpenAI's API.
"""

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import Response

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.models import Model
from aistrale_lab.embedded.replies import Events, Reply, event
from aistrale_lab.embedded.requests import (
    MOST_TOKENS,
    GenerateRequest,
    GenerationParameters,
)

Details = dict[str, Any]


class TextGeneration:
    """One request to a model, and its answer."""

    def __init__(self, model: Model, asked: GenerateRequest) -> None:
        self._settings = asked.parameters or GenerationParameters()
        self._prefix = asked.inputs if self._settings.return_full_text else ""
        self._input_length = model.count(asked.inputs)
        self._run = Generation(
            pieces=model.answer([("user", asked.inputs)], self._settings.sampling),
            limit=min(self._settings.max_new_tokens or MOST_TOKENS, MOST_TOKENS),
            stops=[stop for stop in self._settings.stop or [] if stop],
        )

    def streamed(self) -> Response:
        """The answer token by token; the last event bears the whole text."""
        return Events(self._events(), headers=self._headers)

    async def whole(self) -> dict[str, Any]:
        """The answer at once, with its tokens if they were asked for."""
        said = [text async for text in self._run.live()]
        answer: dict[str, Any] = {"generated_text": self._prefix + "".join(said)}
        if self._settings.details:
            tokens = [_token(place, text) for place, text in enumerate(said, 1)]
            answer["details"] = self._details | {"prefill": [], "tokens": tokens}
        return answer

    async def replied(self, *, in_list: bool) -> Response:
        """The whole answer as a response."""
        answer = await self.whole()
        counted = {"x-generated-tokens": str(self._run.tokens)}
        return Reply([answer] if in_list else answer, headers=self._headers | counted)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-prompt-tokens": str(self._input_length)}

    @property
    def _details(self) -> Details:
        reason = "length" if self._run.finish_reason == "length" else "eos_token"
        return {
            "finish_reason": "stop_sequence" if self._run.stopped_by else reason,
            "generated_tokens": self._run.tokens,
            "input_length": self._input_length,
            "seed": self._settings.seed,
        }

    async def _events(self) -> AsyncIterator[bytes]:
        """Each token is held until the next one, since the last bears the details."""
        whole, held, place = self._prefix, "", 0
        async for text in self._run.live():
            if place:
                yield _event(place, held)
            whole, held, place = whole + text, text, place + 1
        yield _event(max(place, 1), held, text=whole, details=self._details)


def _event(
    place: int, said: str, *, text: str | None = None, details: Details | None = None
) -> bytes:
    token = _token(place, said)
    ending = {"generated_text": text, "details": details}
    return event({"index": place, "token": token, **ending})


def _token(place: int, said: str) -> dict[str, Any]:
    """A token; a text has no number in a vocabulary here, so its place stands in."""
    return {"id": place, "text": said, "logprob": 0.0, "special": False}
