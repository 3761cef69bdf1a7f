"""Text generation in TGI's words, as Hugging Face's client asks for it over HTTP."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.errors import HfHubHTTPError, ValidationError
from servers.boxed import boxed_models


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with boxed_models() as base_url:
        yield base_url.removesuffix("/v1")


@pytest.fixture
async def echo(root: str) -> AsyncIterator[AsyncInferenceClient]:
    url = f"{root}/models/echo"
    async with AsyncInferenceClient(base_url=url, api_key="any") as client:
        yield client


async def test_details_tell_tokens_and_counts(echo: AsyncInferenceClient) -> None:
    answer = await echo.text_generation("a b c", details=True, seed=5)

    details = answer.details
    assert details is not None
    assert [token.text for token in details.tokens] == ["a", " b", " c"]
    assert (details.generated_tokens, details.finish_reason) == (3, "eos_token")
    assert details.seed == 5


async def test_the_last_event_of_a_stream_has_the_details(
    echo: AsyncInferenceClient,
) -> None:
    stream = await echo.text_generation("a b c", stream=True, details=True)
    events = [event async for event in stream]

    assert [event.token.text for event in events] == ["a", " b", " c"]
    assert [event.generated_text for event in events] == [None, None, "a b c"]
    details = events[-1].details
    assert details is not None
    assert (details.generated_tokens, details.input_length) == (3, 3)


async def test_a_stop_sequence_is_named_as_the_reason(
    echo: AsyncInferenceClient,
) -> None:
    answer = await echo.text_generation("a b c", details=True, stop=[" b"])

    assert answer.generated_text == "a"
    assert answer.details is not None
    assert answer.details.finish_reason == "stop_sequence"


async def test_the_prompt_stands_before_the_answer_if_asked(
    echo: AsyncInferenceClient,
) -> None:
    whole = await echo.text_generation("a b", return_full_text=True)
    stream = await echo.text_generation(
        "a b", return_full_text=True, stream=True, details=True
    )
    last = [event async for event in stream][-1]

    assert whole == last.generated_text == "a ba b"


async def test_an_empty_answer_is_one_event(echo: AsyncInferenceClient) -> None:
    stream = await echo.text_generation("", stream=True, details=True)
    [event] = [event async for event in stream]

    assert event.token.text == event.generated_text == ""


async def test_a_model_s_own_url_chats_too(echo: AsyncInferenceClient) -> None:
    asked = [{"role": "user", "content": "a b"}]
    answer = await echo.chat_completion(asked)

    assert answer.choices[0].message.content == "a b"
    assert answer.model == "echo"


async def test_a_setting_out_of_range_is_tgis_validation_error(
    echo: AsyncInferenceClient,
) -> None:
    with pytest.raises(ValidationError, match="parameters.top_p"):
        await echo.text_generation("a", top_p=1.5)


async def test_an_unknown_model_is_a_404_that_lists_the_known(root: str) -> None:
    url = f"{root}/models/none"
    async with AsyncInferenceClient(base_url=url, api_key="any") as client:
        with pytest.raises(HfHubHTTPError) as caught:
            await client.text_generation("a")

    assert caught.value.response.status_code == 404
    assert "calculator" in caught.value.response.json()["error"]


async def test_generate_answers_one_object_and_its_stream_events(root: str) -> None:
    async with httpx2.AsyncClient() as http:
        url = f"{root}/models/echo/generate"
        whole = await http.post(url, json={"inputs": "a b"})
        stream = await http.post(f"{url}_stream", json={"inputs": "a b"})

    assert whole.json() == {"generated_text": "a b"}
    assert whole.headers["x-prompt-tokens"] == "2"
    assert stream.text.count("data: ") == 2
