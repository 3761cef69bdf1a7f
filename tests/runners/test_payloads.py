"""Requests in the words of the three APIs."""

from typing import Any

import pytest

from aistrale_lab.domain.chat import GenerateConfig, Message, Request
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.payloads import to_payload

MESSAGES = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="2+2?"),
)
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
}


def payload(
    api: str = "chat", *, stream: bool = False, url: str | None = None, **config: Any
) -> dict[str, Any]:
    endpoint = Endpoint.model_validate(
        {"provider": "p", "kind": "openai", "api": api, "base_url": url}
    )
    request = Request(
        model="m", messages=MESSAGES, config=GenerateConfig(**config), stream=stream
    )
    return to_payload(request, endpoint)


def test_what_is_not_set_is_not_sent() -> None:
    assert payload() == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "2+2?"},
        ],
    }


def test_a_stream_asks_for_its_usage() -> None:
    for api in ("chat", "completions"):
        sent = payload(api, stream=True)
        assert sent["stream"] is True
        assert sent["stream_options"] == {"include_usage": True}
    assert "stream_options" not in payload("responses", stream=True)


@pytest.mark.parametrize(
    ("url", "field"),
    [
        (None, "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8000/v1", "max_tokens"),
        ("https://api.openai.com.evil.example/v1", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_endpoint_knows(
    url: str | None, field: str
) -> None:
    assert payload(url=url, max_tokens=5)[field] == 5


def test_the_limit_can_be_named_by_the_user() -> None:
    endpoint = Endpoint(provider="p", kind="openai", max_tokens_field="limit")
    request = Request(model="m", messages=MESSAGES, config=GenerateConfig(max_tokens=5))

    assert to_payload(request, endpoint)["limit"] == 5


def test_settings_keep_their_names_but_for_the_stop_sequences() -> None:
    sent = payload(
        temperature=0, seed=7, top_p=0.5, stop_sequences="x", reasoning_effort="low"
    )

    assert sent["stop"] == ["x"]
    assert (sent["temperature"], sent["seed"], sent["top_p"]) == (0, 7, 0.5)
    assert sent["reasoning_effort"] == "low"


def test_extra_goes_in_last_and_as_it_is() -> None:
    sent = payload(temperature=1, extra={"temperature": 0.25, "min_p": {"a": [1]}})

    assert (sent["temperature"], sent["min_p"]) == (0.25, {"a": [1]})


def test_a_completion_is_asked_for_with_the_texts_alone() -> None:
    sent = payload("completions", max_tokens=5)

    assert sent["prompt"] == "Be brief.\n\n2+2?"
    assert sent["max_tokens"] == 5


def test_the_responses_api_has_words_of_its_own() -> None:
    sent = payload(
        "responses", max_tokens=5, reasoning_effort="low", response_format=SCHEMA
    )

    assert sent["input"][1] == {"role": "user", "content": "2+2?"}
    assert sent["max_output_tokens"] == 5
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["text"]["format"] == {
        "type": "json_schema",
        "name": "n",
        "schema": {"type": "object"},
        "strict": True,
    }
