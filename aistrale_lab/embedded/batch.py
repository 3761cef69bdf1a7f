"""Many conversations, one forward pass: whoever waits for a token is computed together.

There is no queue and no task of its own: a conversation that wants its next token joins
the pass which the event loop makes next, so that nobody waits for a longer answer.
"""

import asyncio
from dataclasses import dataclass, field

from aistrale_lab.embedded.transformer import Cache, Floats, Transformer

CHUNK = 64
"""Tokens of one prompt that a pass takes in, so that a long one stalls nobody."""

MOST_ROWS = 128
"""Tokens of a whole pass."""


@dataclass(eq=False, slots=True)
class Conversation:
    """What has been computed of a conversation, and the tokens that have not."""

    cache: Cache
    coming: list[int]
    next_logits: asyncio.Future[Floats] | None = field(default=None, init=False)


class Batch:
    """The passes of one model; it belongs to the event loop that it is used in."""

    def __init__(self, network: Transformer) -> None:
        self._network = network
        self._waiting: list[Conversation] = []
        self._is_due = False

    def start(self, prompt: list[int]) -> Conversation:
        """A conversation of which nothing is computed yet."""
        return Conversation(self._network.make_cache(), prompt)

    async def logits(self, conversation: Conversation) -> Floats:
        """The logits after all the tokens of a conversation."""
        conversation.next_logits = asyncio.get_running_loop().create_future()
        self._waiting.append(conversation)
        self._plan()
        return await conversation.next_logits

    def _plan(self) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        """Compute for those who wait; a prompt that is not done waits on."""
        self._is_due = False
        chosen = self._chosen()
        if not chosen:
            return
        try:
            rows = self._network.forward(
                [(one.cache, one.coming[:CHUNK]) for one in chosen]
            )
        except Exception as error:  # all that took part must hear of it
            self._waiting = [one for one in self._waiting if one not in chosen]
            for one in chosen:
                _future(one).set_exception(error)
        else:
            for one, row in zip(chosen, rows, strict=True):
                del one.coming[:CHUNK]
                if not one.coming:
                    _future(one).set_result(row)
        self._waiting = [one for one in self._waiting if not _future(one).done()]
        self._plan()

    def _chosen(self) -> list[Conversation]:
        """Answers before prompts, in the order in which they came."""
        self._waiting = [one for one in self._waiting if not _future(one).done()]
        chosen: list[Conversation] = []
        rows = 0
        for one in sorted(self._waiting, key=lambda one: len(one.coming) > 1):
            rows += len(one.coming[:CHUNK])
            if rows > MOST_ROWS:
                break
            chosen.append(one)
        return chosen


def _future(conversation: Conversation) -> asyncio.Future[Floats]:
    assert conversation.next_logits is not None
    return conversation.next_logits
