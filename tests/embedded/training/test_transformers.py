"""The weights in the box, read by transformers: another engine, the same answers."""

import asyncio

import pytest

from aistrale_lab.embedded.language import NAMES, WEIGHTS, LanguageModel
from aistrale_lab.embedded.models import Sampling
from aistrale_lab.embedded.training.questions import PER_SKILL, SEED
from aistrale_lab.embedded.training.skills import held_out_questions

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

BATCH = 50
MOST_TOKENS = 24


def theirs(name: str, texts: list[str]) -> list[str]:
    """Greedy answers by `LlamaForCausalLM` in float32."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS, padding_side="left")
    model = LlamaForCausalLM.from_pretrained(WEIGHTS / name, dtype=torch.float32)
    answers = []
    for start in range(0, len(texts), BATCH):
        turns = [[{"role": "user", "content": text}] for text in texts[start:][:BATCH]]
        asked = tokenizer.apply_chat_template(
            turns,
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        made = model.generate(**asked, do_sample=False, max_new_tokens=MOST_TOKENS)
        length = asked["input_ids"].shape[1]
        answers += tokenizer.batch_decode(made[:, length:], skip_special_tokens=True)
    return answers


async def ours(name: str, texts: list[str]) -> list[str]:
    model = LanguageModel.load(name)

    async def answer(text: str) -> str:
        said = ""
        count = 0
        async for token in model.answer([("user", text)], Sampling()):
            said += token.text
            count += 1
            if count == MOST_TOKENS:
                break
        return said

    return list(await asyncio.gather(*map(answer, texts)))


@pytest.mark.parametrize("name", NAMES)
async def test_transformers_gives_the_same_greedy_answers(name: str) -> None:
    texts = [question.text for question in held_out_questions(PER_SKILL, SEED)]

    same = [
        mine == other
        for mine, other in zip(
            await ours(name, texts), theirs(name, texts), strict=True
        )
    ]

    assert sum(same) == len(texts)
