"""Answers begin here: a conversation that a model has no room for is refused first."""

from collections.abc import Sequence

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.models import Model, Sampling, Turn


class ContextTooLong(Exception):
    """A conversation leaves a model no room for an answer."""


def make_generation(
    model: Model,
    turns: Sequence[Turn],
    sampling: Sampling,
    *,
    limit: int,
    stops: Sequence[str],
) -> Generation:
    """An answer of `limit` tokens at most, or of as many as there is room for.

    Raises ContextTooLong if there is none.
    """
    if model.context is not None:
        asked = model.prompt_tokens(turns)
        limit = min(limit, model.context - asked)
        if limit < 1:
            raise ContextTooLong(
                f"This model's maximum context length is {model.context} tokens. "
                f"However, your messages resulted in {asked} tokens. Please reduce the "
                "length of the messages."
            )
    return Generation(model.answer(turns, sampling), limit=limit, stops=stops)
