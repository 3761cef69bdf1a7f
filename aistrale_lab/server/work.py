"""What an experiment will send, and what that can cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aistrale_lab.domain.chat import GenerateConfig, Message
from aistrale_lab.domain.tasks import Task
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.pricing import Price

Lane = tuple[str, GenerateConfig]
"""A model, and the settings that it is asked with."""


@dataclass(frozen=True)
class Work:
    """A task, asked of the model of each lane."""

    task: Task
    lanes: Sequence[Lane]

    def most(self, price_of: Callable[[str], Price | None]) -> Decimal | None:
        """USD that all its calls can cost if none is sent twice; None if unknown."""
        render = compile_prompt(self.task.prompt).render
        prompts = [render(sample) for sample in self.task.dataset]
        known: dict[tuple[str, int | None], Decimal | None] = {}
        total = Decimal(0)
        for model, config in self.lanes:
            kind = model, config.max_tokens
            if kind not in known:
                known[kind] = _most(price_of(model), config.max_tokens, prompts)
            cost = known[kind]
            if cost is None:
                return None
            total += cost
        return total * self.task.epochs


def _most(
    price: Price | None, max_tokens: int | None, prompts: Sequence[tuple[Message, ...]]
) -> Decimal | None:
    if price is None or max_tokens is None:
        return None
    return sum((price.bound(one, max_tokens) for one in prompts), Decimal(0))
