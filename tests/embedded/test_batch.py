"""Conversations computed together: who waits, who is given up, who hears of a fault."""

import asyncio

import numpy as np
import pytest

from aistrale_lab.embedded.batch import CHUNK, Batch
from aistrale_lab.embedded.language import WEIGHTS
from aistrale_lab.embedded.transformer import Floats, Transformer


@pytest.fixture(scope="module")
def network() -> Transformer:
    return Transformer.load(WEIGHTS / "mini")


@pytest.fixture
def batch(network: Transformer) -> Batch:
    return Batch(network)


async def greedy(batch: Batch, prompt: list[int], steps: int) -> list[int]:
    conversation = batch.start(list(prompt))
    tokens = []
    for _ in range(steps):
        logits: Floats = await batch.logits(conversation)
        tokens.append(int(np.argmax(logits)))
        conversation.coming.append(tokens[-1])
    return tokens


async def test_many_at_once_get_what_each_would_get_alone(batch: Batch) -> None:
    prompts = [[65 + place, 66, 67 + place % 5] for place in range(60)]

    together = await asyncio.gather(*(greedy(batch, one, 5) for one in prompts))

    assert together == [await greedy(batch, one, 5) for one in prompts]


async def test_a_long_prompt_does_not_stall_the_answers_of_others(
    batch: Batch,
) -> None:
    order: list[str] = []

    async def ask(name: str, prompt: list[int], steps: int) -> None:
        await greedy(batch, prompt, steps)
        order.append(name)

    long = [65 + place % 26 for place in range(12 * CHUNK)]
    await asyncio.gather(ask("long", long, 1), ask("short", [65, 66], 6))

    assert order == ["short", "long"]


async def test_a_conversation_that_is_given_up_is_computed_no_further(
    batch: Batch,
) -> None:
    left = asyncio.create_task(greedy(batch, [65, 66], 50))
    other = asyncio.create_task(greedy(batch, [67, 68], 5))
    await asyncio.sleep(0)
    left.cancel()

    assert len(await other) == 5
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_all_who_took_part_hear_of_a_fault_and_the_next_are_served(
    batch: Batch,
) -> None:
    outside = [10_000]  # no token of the vocabulary

    failed = await asyncio.gather(
        greedy(batch, outside, 1), greedy(batch, [65], 1), return_exceptions=True
    )

    assert [type(one) for one in failed] == [IndexError, IndexError]
    assert len(await greedy(batch, [65], 2)) == 2
