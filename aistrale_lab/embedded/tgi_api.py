"""The part of text-generation-inference's API that Hugging Face's client uses.

Unlike TGI, an answer ends before the stop sequence, as it does in OpenAI's API.
"""

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import Response

from aistrale_lab.embedded.asking import make_generation
from aistrale_lab.embedded.generation import Piece
from aistrale_lab.embedded.logprobs import tgi_alternatives, tgi_token
from aistrale_lab.embedded.models import Model, Token
from aistrale_lab.embedded.replies import Events, Reply, event
from aistrale_lab.embedded.requests import (
    MOST_TOKENS,
    GenerateRequest,
    GenerationParameters,
)

Details = dict[str, Any]


class TextGeneration:
    """One request to a model, and its answer.

    Raises ContextTooLong if the model has no room for it.
    """

    def __init__(self, model: Model, asked: GenerateRequest) -> None:
        self._settings = asked.parameters or GenerationParameters()
        self._prefix = asked.inputs if self._settings.return_full_text else ""
        turns = [("user", asked.inputs)]
        self._input_length = model.prompt_tokens(turns)
        self._run = make_generation(
            model,
            turns,
            self._settings.sampling,
            limit=min(self._settings.max_new_tokens or MOST_TOKENS, MOST_TOKENS),
            stops=[stop for stop in self._settings.stop or [] if stop],
        )

    def streamed(self) -> Response:
        """The answer token by token; the last event bears the whole text."""
        return Events(self._events(), headers=self._headers)

    async def whole(self) -> dict[str, Any]:
        """The answer at once, with its tokens if they were asked for."""
        said = await self._run.whole()
        answer: dict[str, Any] = {"generated_text": self._prefix + said.text}
        if self._settings.details:
            tokens = [tgi_token(token) for token in said.tokens]
            answer["details"] = self._details | {"prefill": [], "tokens": tokens}
            if self._settings.top_n_tokens:
                answer["details"]["top_tokens"] = [
                    tgi_alternatives(token) for token in said.tokens
                ]
        return answer

    async def replied(self, *, in_list: bool) -> Response:
        """The whole answer as a response."""
        answer = await self.whole()
        counted = {"x-generated-tokens": str(self._run.made)}
        return Reply([answer] if in_list else answer, headers=self._headers | counted)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-prompt-tokens": str(self._input_length)}

    @property
    def _details(self) -> Details:
        reason = "length" if self._run.finish_reason == "length" else "eos_token"
        return {
            "finish_reason": "stop_sequence" if self._run.stopped_by else reason,
            "generated_tokens": self._run.made,
            "input_length": self._input_length,
            "seed": self._settings.seed,
        }

    async def _events(self) -> AsyncIterator[bytes]:
        """Each token is held until the next one, since the last bears the details."""
        whole, held, place = self._prefix, _NOTHING, 0
        async for piece in self._run.pieces():
            if place:
                yield self._event(place, held)
            whole, held, place = whole + piece.text, piece, place + 1
        yield self._event(
            max(place, 1), held, generated_text=whole, details=self._details
        )

    def _event(
        self,
        place: int,
        piece: Piece,
        *,
        generated_text: str | None = None,
        details: Details | None = None,
    ) -> bytes:
        """An event of one token: of several that came at once, the last one's number."""
        token = piece.tokens[-1] if piece.tokens else _NO_TOKEN
        shown = tgi_token(token) | {"text": piece.text}
        said: Details = {"index": place, "token": shown}
        if self._settings.top_n_tokens:
            said["top_tokens"] = tgi_alternatives(token)
        return event(said | {"generated_text": generated_text, "details": details})


_NO_TOKEN = Token("", b"", number=1)
_NOTHING = Piece("", ())
