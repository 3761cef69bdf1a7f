"""The language models over HTTP: the same answer, however it is asked for."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from huggingface_hub import AsyncInferenceClient
from servers.boxed import boxed_models

from aistrale_lab.embedded.language import NAMES
from aistrale_lab.embedded.training.skills import held_out_questions

QUESTIONS = [question.text for question in held_out_questions(2, seed=9)]
DRAWN = {"temperature": 1.5, "top_p": 0.95, "seed": 11}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with boxed_models() as base_url:
        yield base_url


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any") as client:
        yield client


def ask(question: str) -> Any:
    return [{"role": "user", "content": question}]


async def whole(client: openai.AsyncOpenAI, model: str, text: str, **more: Any) -> str:
    answer = await client.chat.completions.create(
        model=model, messages=ask(text), **more
    )
    return answer.choices[0].message.content or ""


async def streamed(
    client: openai.AsyncOpenAI, model: str, text: str, **more: Any
) -> str:
    stream = await client.chat.completions.create(
        model=model, messages=ask(text), stream=True, **more
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


@pytest.mark.parametrize("settings", [{}, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("model", NAMES)
async def test_an_answer_is_the_same_whole_streamed_and_from_either_client(
    base_url: str, client: openai.AsyncOpenAI, model: str, settings: dict[str, Any]
) -> None:
    together = [whole(client, model, text, **settings) for text in QUESTIONS]
    first = await asyncio.gather(*together)

    async with AsyncInferenceClient(base_url=base_url, api_key="any") as hub:
        for text, expected in zip(QUESTIONS, first, strict=True):
            assert await streamed(client, model, text, **settings) == expected
            theirs = await hub.chat_completion(ask(text), model=model, **settings)
            assert theirs.choices[0].message.content == expected


async def test_without_a_temperature_the_choice_is_greedy(
    client: openai.AsyncOpenAI,
) -> None:
    for text in QUESTIONS:
        unset = await whole(client, "mini", text)

        assert unset == await whole(client, "mini", text, temperature=0)


async def test_draws_differ_by_seed_and_by_choice(client: openai.AsyncOpenAI) -> None:
    text = "Count the letter p in the word ppyklvp. Give only the number."

    async def drawn(seed: int) -> list[str | None]:
        answer = await client.chat.completions.create(
            model="mini", messages=ask(text), temperature=2, seed=seed, n=8
        )
        return [choice.message.content for choice in answer.choices]

    first = await drawn(1)

    assert first == await drawn(1)
    assert first != await drawn(2)
    assert len(set(first)) > 1


async def test_twenty_streams_at_once_all_complete(client: openai.AsyncOpenAI) -> None:
    questions = [question.text for question in held_out_questions(2, seed=10)][:20]

    answers = await asyncio.gather(
        *(streamed(client, "small", text) for text in questions)
    )

    assert answers == [await whole(client, "small", text) for text in questions]
    assert all(answers)


async def test_probabilities_are_told_for_each_token(
    client: openai.AsyncOpenAI,
) -> None:
    answer = await client.chat.completions.create(
        model="small",
        messages=ask("What is 45 + 47? Give only the number."),
        logprobs=True,
        top_logprobs=3,
    )

    choice = answer.choices[0]
    assert choice.logprobs is not None and choice.logprobs.content is not None
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens) == choice.message.content
    for token in tokens:
        assert bytes(token.bytes or []) == token.token.encode()
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob == token.logprob  # greedy
        assert sum(math.exp(one.logprob) for one in token.top_logprobs) <= 1 + 1e-9


async def test_a_stream_tells_the_same_probabilities(
    client: openai.AsyncOpenAI,
) -> None:
    asked: Any = {"model": "mini", "messages": ask(QUESTIONS[0]), "logprobs": True}
    answer = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(**asked, stream=True)

    parts = [chunk.choices[0].logprobs async for chunk in stream]
    tokens = [token for part in parts if part for token in part.content or []]
    assert answer.choices[0].logprobs is not None
    assert tokens == answer.choices[0].logprobs.content


async def test_a_completion_tells_probabilities_in_its_own_shape(
    client: openai.AsyncOpenAI,
) -> None:
    answer = await client.completions.create(
        model="mini", prompt=QUESTIONS[0], logprobs=2
    )

    choice = answer.choices[0]
    assert choice.logprobs is not None
    assert "".join(choice.logprobs.tokens or []) == choice.text
    assert (choice.logprobs.text_offset or [])[:2] == [0, 1]
    assert all(len(one) == 2 for one in choice.logprobs.top_logprobs or [])


async def test_generated_text_tells_tokens_of_the_vocabulary(base_url: str) -> None:
    root = base_url.removesuffix("/v1")
    async with AsyncInferenceClient(base_url=f"{root}/models/mini") as hub:
        answer = await hub.text_generation(
            QUESTIONS[0], details=True, top_n_tokens=2, max_new_tokens=40
        )

    details = answer.details
    assert details is not None
    assert "".join(token.text for token in details.tokens) == answer.generated_text
    assert all((token.logprob or 0) <= 0 for token in details.tokens)
    assert [len(tops) for tops in details.top_tokens or []] == [2] * len(details.tokens)


async def test_usage_counts_tokens_of_the_vocabulary(
    client: openai.AsyncOpenAI,
) -> None:
    answer = await client.chat.completions.create(
        model="small", messages=ask("What is 12 + 3? Give only the number.")
    )

    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 17  # What is _ 1 2 _ + _ 3 ? ..., two roles
    assert answer.usage.completion_tokens == len(
        answer.choices[0].message.content or ""
    )


async def test_a_limit_and_a_stop_sequence_end_an_answer(
    client: openai.AsyncOpenAI,
) -> None:
    text = "Write the word abcd in capital letters. Give only the word."

    assert await whole(client, "small", text) == "ABCD"
    assert await whole(client, "small", text, max_tokens=2) == "AB"
    assert await streamed(client, "small", text, stop=["CD"]) == "AB"


async def test_a_conversation_without_room_for_an_answer_is_refused(
    client: openai.AsyncOpenAI, base_url: str
) -> None:
    with pytest.raises(openai.BadRequestError, match="1024 tokens") as caught:
        await whole(client, "mini", "x" * 2_000)
    root = base_url.removesuffix("/v1")
    async with AsyncInferenceClient(base_url=f"{root}/models/mini") as hub:
        with pytest.raises(Exception, match="1024 tokens"):
            await hub.text_generation("x" * 2_000)

    assert caught.value.code == "context_length_exceeded"


async def test_an_answer_ends_where_the_context_does(
    client: openai.AsyncOpenAI,
) -> None:
    answer = await client.chat.completions.create(
        model="mini", messages=ask("x" * 1_020), temperature=2, seed=1
    )

    assert answer.usage is not None
    assert answer.usage.total_tokens <= 1_024
