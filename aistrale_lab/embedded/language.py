"""A language model in the box: tokenizer, transformer, and the choice of tokens."""

import codecs
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np

from aistrale_lab.embedded.batch import Batch
from aistrale_lab.embedded.models import Alternative, Sampling, Token, Turn
from aistrale_lab.embedded.sampling import Chooser, Logprobs, log_softmax
from aistrale_lab.embedded.tokenizer import BYTES, SPECIALS, Tokenizer
from aistrale_lab.embedded.transformer import Floats, Transformer

WEIGHTS = Path(__file__).parent / "weights"
"""Folders of models by their names, and the tokenizer that they share."""

NAMES = ("mini", "small")
"""The models whose weights are in the box."""


class LanguageModel:
    """Answers by what it has learnt; see the model card beside the weights."""

    def __init__(self, tokenizer: Tokenizer, network: Transformer) -> None:
        self.context = network.shape.context
        self._tokenizer = tokenizer
        self._batch = Batch(network)
        numbers = range(BYTES, BYTES + len(SPECIALS))
        self._unspeakable = [one for one in numbers if one != tokenizer.end]

    @classmethod
    def load(cls, name: str, folder: Path = WEIGHTS) -> "LanguageModel":
        """The model of a name."""
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        return cls(tokenizer, Transformer.load(folder / name))

    async def answer(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Token, None]:
        """The answer, until the model ends it or the context is full.

        Bytes at the very end that make no whole character are dropped.
        """
        conversation = self._batch.start(self._tokenizer.conversation(turns))
        chooser = Chooser(sampling)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        length = len(conversation.coming)
        while length < self.context:
            logits = await self._batch.logits(conversation)
            logprobs = log_softmax(self._speakable(logits))
            number = chooser.choose(logprobs)
            if number == self._tokenizer.end:
                return
            written = self._tokenizer.bytes_of(number)
            yield Token(
                decoder.decode(written),
                written,
                number,
                float(logprobs[number]),
                self._alternatives(logprobs, sampling.alternatives),
            )
            conversation.coming.append(number)
            length += 1

    def prompt_tokens(self, turns: Sequence[Turn]) -> int:
        """Tokens of a conversation, those of the roles included."""
        return len(self._tokenizer.conversation(turns))

    def _speakable(self, logits: Floats) -> Floats:
        logits[self._unspeakable] = -np.inf
        return logits

    def _alternatives(self, logprobs: Logprobs, count: int) -> tuple[Alternative, ...]:
        if not count:
            return ()
        likeliest = np.argsort(-logprobs, kind="stable")[:count]
        return tuple(
            Alternative(
                self._tokenizer.bytes_of(int(one)), int(one), float(logprobs[one])
            )
            for one in likeliest
        )


def load_language_models() -> dict[str, LanguageModel]:
    """Every language model in the box, by its name."""
    return {name: LanguageModel.load(name) for name in NAMES}
