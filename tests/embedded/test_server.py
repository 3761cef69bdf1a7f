"""The server in the box, as the SDKs of OpenAI and Hugging Face see it over HTTP."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import openai
import pytest
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.errors import HfHubHTTPError

from aistrale_lab.embedded.inventory import load_models

ASK: list[Any] = [{"role": "user", "content": "one two three four"}]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "aistrale_lab.embedded", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None and child.stdin is not None
        yield json.loads(child.stdout.readline())["base_url"]
        child.stdin.close()
        assert child.wait(10) == 0


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key="any", max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def hub(base_url: str) -> AsyncIterator[AsyncInferenceClient]:
    async with AsyncInferenceClient(base_url=base_url, api_key="any") as client:
        yield client


class TestOpenAI:
    async def test_a_whole_chat_has_text_reason_usage_and_request_id(
        self, client: openai.AsyncOpenAI
    ) -> None:
        answer = await client.chat.completions.create(model="echo", messages=ASK)

        [choice] = answer.choices
        assert choice.message.content == "one two three four"
        assert choice.finish_reason == "stop"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 4)
        assert answer.model == "echo"
        assert answer._request_id is not None

    async def test_a_streamed_chat_comes_word_by_word_and_ends_with_usage(
        self, client: openai.AsyncOpenAI
    ) -> None:
        stream = await client.chat.completions.create(
            model="echo",
            messages=ASK,
            stream=True,
            stream_options={"include_usage": True},
        )
        events = [event async for event in stream]

        said = [event.choices[0].delta.content for event in events if event.choices]
        assert [text for text in said if text] == ["one", " two", " three", " four"]
        assert events[-2].choices[0].finish_reason == "stop"
        assert events[-1].choices == []
        assert events[-1].usage is not None
        assert events[-1].usage.total_tokens == 8
        assert len({event.id for event in events}) == 1

    async def test_a_stream_has_no_usage_unless_asked(
        self, client: openai.AsyncOpenAI
    ) -> None:
        stream = await client.chat.completions.create(
            model="echo", messages=ASK, stream=True
        )

        assert {event.usage async for event in stream} == {None}

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("settings", "text", "reason"),
        [
            ({"max_tokens": 2}, "one two", "length"),
            ({"max_completion_tokens": 2}, "one two", "length"),
            ({"max_tokens": 4}, "one two three four", "stop"),
            ({"stop": " three"}, "one two", "stop"),
            ({"stop": ["ur", "wo th"]}, "one t", "stop"),
            ({"stop": ["nowhere", ""]}, "one two three four", "stop"),
            ({"stop": "one"}, "", "stop"),
        ],
        ids=str,
    )
    async def test_limits_and_stop_sequences_cut_the_answer(
        self,
        client: openai.AsyncOpenAI,
        stream: bool,
        settings: dict[str, Any],
        text: str,
        reason: str,
    ) -> None:
        create: Any = client.chat.completions.create
        answer = await create(model="echo", messages=ASK, stream=stream, **settings)

        if stream:
            choices = [event.choices[0] async for event in answer]
            said = "".join(choice.delta.content or "" for choice in choices)
            assert (said, choices[-1].finish_reason) == (text, reason)
        else:
            [choice] = answer.choices
            assert (choice.message.content, choice.finish_reason) == (text, reason)

    async def test_n_answers_are_n_choices_and_all_are_counted(
        self, client: openai.AsyncOpenAI
    ) -> None:
        answer = await client.chat.completions.create(model="echo", messages=ASK, n=3)

        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        assert answer.usage is not None and answer.usage.completion_tokens == 12

    async def test_n_answers_can_be_streamed(self, client: openai.AsyncOpenAI) -> None:
        said = {0: "", 1: ""}
        async for event in await client.chat.completions.create(
            model="echo", messages=ASK, n=2, stream=True
        ):
            choice = event.choices[0]
            said[choice.index] += choice.delta.content or ""

        assert said == {0: "one two three four", 1: "one two three four"}

    async def test_a_text_is_completed_whole_and_streamed(
        self, client: openai.AsyncOpenAI
    ) -> None:
        whole = await client.completions.create(model="echo", prompt="a b")
        stream = await client.completions.create(
            model="echo", prompt="a b", stream=True
        )
        pieces = [event.choices[0].text async for event in stream]

        assert whole.choices[0].text == "a b"
        assert "".join(pieces) == "a b"

    async def test_content_parts_are_read(self, client: openai.AsyncOpenAI) -> None:
        parts: Any = [{"type": "text", "text": "3 * 4"}]

        answer = await client.chat.completions.create(
            model="calculator", messages=[{"role": "user", "content": parts}]
        )

        assert answer.choices[0].message.content == "12"

    async def test_every_model_is_listed_and_found(
        self, client: openai.AsyncOpenAI
    ) -> None:
        listed = {model.id async for model in client.models.list()}

        assert listed == set(load_models())
        for name in listed:
            assert (await client.models.retrieve(name)).id == name

    async def test_an_unknown_model_is_an_error_in_openais_shape(
        self, client: openai.AsyncOpenAI
    ) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="gpt-9", messages=ASK)

        assert caught.value.code == "model_not_found"
        assert caught.value.type == "invalid_request_error"
        assert "calculator" in caught.value.message
        assert caught.value.request_id is not None

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"messages": []}, "messages"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"temperature": 9}, "temperature"),
            ({"n": 1000}, "n"),
            ({"stop": 7}, "stop"),
            ({"messages": "hello"}, "messages"),
        ],
        ids=str,
    )
    async def test_a_broken_request_is_a_400_that_names_the_field(
        self, client: openai.AsyncOpenAI, settings: dict[str, Any], named: str
    ) -> None:
        create: Any = client.chat.completions.create
        with pytest.raises(openai.BadRequestError) as caught:
            await create(**{"model": "echo", "messages": ASK, **settings})

        assert caught.value.type == "invalid_request_error"
        assert named in caught.value.message

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"null", b"[]", b"\xff", b"[" * 50_000, b'{"model": "\\ud83d"}'],
        ids=range(7),
    )
    async def test_what_is_no_request_is_a_400_and_never_a_500(
        self, base_url: str, body: bytes
    ) -> None:
        async with httpx2.AsyncClient() as http:
            answer = await http.post(
                f"{base_url}/chat/completions",
                content=body,
                headers={"content-type": "application/json"},
            )

        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"

    async def test_a_lone_surrogate_is_given_back_as_it_came(
        self, base_url: str
    ) -> None:
        body = b'{"model":"echo","messages":[{"role":"user","content":"a\\ud83d"}]}'
        async with httpx2.AsyncClient() as http:
            answer = await http.post(
                f"{base_url}/chat/completions",
                content=body,
                headers={"content-type": "application/json"},
            )

        message = answer.json()["choices"][0]["message"]
        assert message["content"] == "a\ud83d"

    async def test_an_unknown_path_is_an_error_in_openais_shape(
        self, base_url: str
    ) -> None:
        async with httpx2.AsyncClient() as http:
            answer = await http.get(f"{base_url}/nowhere")

        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "Not Found"

    async def test_64_streams_at_once_all_complete(
        self, client: openai.AsyncOpenAI
    ) -> None:
        async def ask(number: int) -> str:
            text = " ".join(str(number) for _ in range(200))
            stream = await client.chat.completions.create(
                model="echo",
                messages=[{"role": "user", "content": text}],
                stream=True,
            )
            pieces = [event.choices[0].delta.content or "" async for event in stream]
            assert "".join(pieces) == text
            return text

        said = await asyncio.gather(*map(ask, range(64)))

        assert len(set(said)) == 64


class TestHuggingFace:
    async def test_a_chat_is_answered(self, hub: AsyncInferenceClient) -> None:
        answer = await hub.chat_completion(ASK, model="echo", max_tokens=2)

        assert answer.choices[0].message.content == "one two"
        assert answer.choices[0].finish_reason == "length"

    async def test_a_chat_is_streamed(self, hub: AsyncInferenceClient) -> None:
        stream = await hub.chat_completion(ASK, model="echo", stream=True)
        said = [event.choices[0].delta.content or "" async for event in stream]

        assert "".join(said) == "one two three four"

    async def test_a_text_is_generated_whole_and_streamed(self, base_url: str) -> None:
        url = base_url.removesuffix("/v1") + "/models/echo"
        async with AsyncInferenceClient(base_url=url, api_key="any") as hub:
            whole = await hub.text_generation("a b c", details=True, max_new_tokens=2)
            pieces = [
                piece async for piece in await hub.text_generation("a b", stream=True)
            ]

        assert whole.generated_text == "a b"
        assert whole.details is not None
        assert whole.details.finish_reason == "length"
        assert "".join(pieces) == "a b"

    async def test_a_streamed_text_with_details_ends_with_the_whole_text(
        self, base_url: str
    ) -> None:
        url = base_url.removesuffix("/v1") + "/models/echo"
        async with AsyncInferenceClient(base_url=url, api_key="any") as hub:
            stream = await hub.text_generation(
                "a b c", stream=True, details=True, stop=[" c"]
            )
            events = [event async for event in stream]

        assert "".join(event.token.text for event in events) == "a b"
        assert events[-1].generated_text == "a b"
        assert events[-1].details is not None

    async def test_an_unknown_model_is_a_404(self, hub: AsyncInferenceClient) -> None:
        with pytest.raises(HfHubHTTPError) as caught:
            await hub.chat_completion(ASK, model="gpt-9")

        assert caught.value.response.status_code == 404
