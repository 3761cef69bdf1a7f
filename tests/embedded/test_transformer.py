"""The arithmetic of the transformer: checked against itself, row by row."""

import json
from pathlib import Path

import numpy as np
import pytest

from aistrale_lab.embedded.language import NAMES, WEIGHTS
from aistrale_lab.embedded.tokenizer import Tokenizer
from aistrale_lab.embedded.transformer import Cache, Floats, Transformer


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest) -> Transformer:
    return Transformer.load(WEIGHTS / request.param)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    tokenizer = Tokenizer.load(WEIGHTS / "tokenizer.json")
    texts = [f"What is {number} + {number * 7}?" for number in range(3, 43)]
    return [tokenizer.conversation([("user", text)]) for text in texts]


def continued(network: Transformer, prompt: list[int], steps: int) -> list[Floats]:
    """Logits after a prompt and after each greedy token, computed alone."""
    cache = network.make_cache()
    rows = [network.forward([(cache, prompt)])[0]]
    for _ in range(steps):
        rows.append(network.forward([(cache, [int(rows[-1].argmax())])])[0])
    return rows


def test_the_cache_changes_nothing(
    network: Transformer, prompts: list[list[int]]
) -> None:
    prompt = prompts[0]
    cache = network.make_cache()

    for token in prompt:
        stepwise = network.forward([(cache, [token])])[0]

    at_once = network.forward([(network.make_cache(), prompt)])[0]
    np.testing.assert_allclose(stepwise, at_once, atol=2e-4)


@pytest.mark.parametrize("together", [2, 3, 8, 20, 40])
def test_an_answer_is_the_same_to_the_last_bit_whoever_else_is_answered(
    network: Transformer, prompts: list[list[int]], together: int
) -> None:
    alone = [continued(network, prompt, 4) for prompt in prompts[:together]]

    caches = [network.make_cache() for _ in range(together)]
    rows = network.forward(list(zip(caches, prompts, strict=False)))
    for step in range(5):
        for mine, theirs in zip(rows, alone, strict=True):
            np.testing.assert_array_equal(mine, theirs[step])
        chosen = [[int(row.argmax())] for row in rows]
        rows = network.forward(list(zip(caches, chosen, strict=True)))


def test_a_cache_grows_with_its_conversation(network: Transformer) -> None:
    cache = network.make_cache()
    tokens = [65 + place % 26 for place in range(300)]

    network.forward([(cache, tokens)])
    network.forward([(cache, tokens[:10])])

    assert cache.length == 310
    assert cache.keys.shape[-1] == cache.values.shape[-2] == 512


def test_a_later_token_is_not_seen(network: Transformer) -> None:
    first, second = network.make_cache(), network.make_cache()

    network.forward([(first, [70, 71, 72, 73])])
    network.forward([(second, [70, 71, 90, 91])])

    np.testing.assert_array_equal(read(first, 2), read(second, 2))
    assert not np.array_equal(read(first, 3), read(second, 3))


def read(cache: Cache, length: int) -> Floats:
    return cache.keys[:, :, :, :length]


def test_the_models_in_the_box_are_small() -> None:
    files = [file for file in WEIGHTS.rglob("*") if file.is_file()]
    sizes = {
        name: json.loads((WEIGHTS / name / "config.json").read_text("utf-8"))
        for name in NAMES
    }

    assert sum(file.stat().st_size for file in files) < 4_000_000
    assert all(one["architectures"] == ["LlamaForCausalLM"] for one in sizes.values())
    assert all(Path(WEIGHTS / name / "model.safetensors").exists() for name in NAMES)
