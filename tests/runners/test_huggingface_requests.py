"""What goes out to Hugging Face, and where the key goes."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient
from pydantic import SecretStr

from aistrale_lab.domain.chat import GenerateConfig, Message, Request
from aistrale_lab.errors import ConfigError, InvalidRequestError, MissingKeyError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.huggingface_requests import HuggingFaceRequests, is_hub

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
TGI = "http://127.0.0.1:8080"


def requests(**fields: Any) -> HuggingFaceRequests:
    endpoint = {"provider": "huggingface", "kind": "huggingface", **fields}
    return HuggingFaceRequests(Endpoint.model_validate(endpoint))


def on_router(**fields: Any) -> HuggingFaceRequests:
    return requests(key=SecretStr("hf_SECRET"), **fields)


def ask(
    model: str = LLAMA,
    content: str | list[dict[str, Any]] = "2+2?",
    *,
    stream: bool = True,
    **config: Any,
) -> Request:
    return Request(
        model=model,
        messages=(Message(role="user", content=content),),
        config=GenerateConfig(**config),
        stream=stream,
    )


class TestAddress:
    async def test_without_a_base_url_the_router_is_called(self) -> None:
        built = await on_router().build(ask())

        assert built.url == "https://router.huggingface.co/v1/chat/completions"
        assert built.headers["authorization"] == "Bearer hf_SECRET"

    async def test_the_router_gets_the_provider_behind_the_colon(self) -> None:
        built = await on_router().build(ask(f"{LLAMA}:together"))

        assert built.url == "https://router.huggingface.co/v1/chat/completions"
        assert built.json["model"] == f"{LLAMA}:together"  # type: ignore[index,call-overload]

    @pytest.mark.parametrize(
        "base_url, url",
        [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"),
            ("https://h.example/a/", "https://h.example/a/v1/chat/completions"),
        ],
    )
    async def test_a_chat_goes_to_the_base_url(self, base_url: str, url: str) -> None:
        built = await requests(base_url=base_url).build(ask("tgi"))

        assert built.url == url

    async def test_text_generation_goes_to_the_base_url_itself(self) -> None:
        built = await requests(base_url=TGI, api="completions").build(ask("tgi"))

        assert built.url == TGI

    def test_text_generation_needs_an_endpoint(self) -> None:
        with pytest.raises(ConfigError, match="needs the base_url"):
            on_router(api="completions")

    def test_there_is_no_responses_api(self) -> None:
        with pytest.raises(ConfigError, match="use chat or completions"):
            on_router(api="responses")

    @pytest.mark.parametrize(
        "url",
        ["http://user:pw123@h/", "http://h/?api_key=pw123", "ftp://h/", "http://h#x"],
    )
    def test_a_base_url_with_a_secret_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            requests(base_url=url)

        assert "pw123" not in str(caught.value)


class TestModelNames:
    @pytest.mark.parametrize(
        "model",
        [
            "gpt2",
            "a/b/c",
            "a/b:",
            "a/b:c:d",
            "/etc/passwd",
            "../../etc/passwd",
            "a/..",
            "http://169.254.169.254/latest/meta-data/",
            "https://evil.example",
            "a/b?x=1",
            "a/b\n",
            "",
        ],
    )
    async def test_the_hub_knows_only_org_and_name(self, model: str) -> None:
        with pytest.raises(InvalidRequestError, match="model name") as caught:
            await on_router().build(ask(model))

        assert caught.value.stops_lane

    @pytest.mark.parametrize("api", ["chat", "completions"])
    @pytest.mark.parametrize(
        "model", ["http://evil/", "HTTPS://evil", "/etc", "a/../b"]
    )
    async def test_elsewhere_a_name_is_no_url_and_no_path(
        self, api: str, model: str
    ) -> None:
        with pytest.raises(InvalidRequestError, match="no URL and no path"):
            await requests(base_url=TGI, api=api).build(ask(model))

    @pytest.mark.parametrize("model", ["tgi", "llama3.1:8b", "org/name"])
    async def test_elsewhere_any_other_name_goes(self, model: str) -> None:
        built = await requests(base_url=TGI).build(ask(model))

        assert built.json["model"] == model  # type: ignore[index,call-overload]

    @pytest.mark.parametrize(
        "url, ours",
        [
            ("https://router.huggingface.co/v1", True),
            ("https://huggingface.co", True),
            ("https://x.endpoints.huggingface.cloud", False),
            ("https://huggingface.co.evil.example", False),
            ("https://evilhuggingface.co", False),
        ],
    )
    def test_the_hub_is_told_by_its_host(self, url: str, ours: bool) -> None:
        assert is_hub(url) is ours


class TestKey:
    @pytest.fixture(autouse=True)
    def token_in_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("hf_CACHED")
        monkeypatch.setenv("HF_TOKEN", "hf_ENVIRONMENT")
        monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_ENVIRONMENT")
        monkeypatch.setattr(
            "huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token")
        )

    @pytest.mark.parametrize("api", ["chat", "completions"])
    async def test_the_sdk_picks_up_no_token_by_itself(self, api: str) -> None:
        built = await requests(base_url=TGI, api=api).build(ask("tgi"))

        assert "authorization" not in built.headers
        assert "hf_" not in repr({**built.headers, "user-agent": ""})

    @pytest.mark.parametrize("api", ["chat", "completions"])
    async def test_the_endpoints_own_key_is_sent_to_it(self, api: str) -> None:
        sender = requests(base_url=TGI, api=api, key=SecretStr("own"))

        built = await sender.build(ask("tgi"))

        assert built.headers["authorization"] == "Bearer own"

    def test_the_router_needs_a_key(self) -> None:
        with pytest.raises(MissingKeyError, match="HF_TOKEN.*embedded/"):
            requests()

    def test_the_router_wants_a_key_of_hugging_face(self) -> None:
        with pytest.raises(ConfigError, match="begin with hf_") as caught:
            requests(key=SecretStr("sk-SECRET"))

        assert "SECRET" not in str(caught.value)

    @pytest.mark.parametrize(
        "key", ["hf_SECRET\n", "hf_SECR\u00e9T", "hf_x\r\nX-Evil: 1"]
    )
    def test_a_key_that_fits_no_header_is_refused_unseen(self, key: str) -> None:
        with pytest.raises(ConfigError) as caught:
            requests(key=SecretStr(key))

        assert "SECR" not in str(caught.value)
        assert caught.value.__context__ is None


class TestChat:
    async def test_settings_go_out_in_the_words_of_the_api(self) -> None:
        built = await on_router().build(
            ask(
                temperature=0,
                top_p=1,
                max_tokens=8,
                stop_sequences=["\n"],
                seed=2**63 + 1,
                frequency_penalty=0.5,
                presence_penalty=-0.5,
                logprobs=True,
                top_logprobs=2,
                reasoning_effort="low",
                tools=({"type": "function", "function": {"name": "f"}},),
                tool_choice="auto",
            )
        )

        assert built.json == {
            "model": LLAMA,
            "messages": [{"role": "user", "content": "2+2?"}],
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 8,
            "stop": ["\n"],
            "seed": 2**63 + 1,
            "frequency_penalty": 0.5,
            "presence_penalty": -0.5,
            "logprobs": True,
            "top_logprobs": 2,
            "reasoning_effort": "low",
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": "auto",
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def test_what_is_not_set_is_not_sent(self) -> None:
        built = await on_router().build(ask(stream=False))

        assert built.json == {
            "model": LLAMA,
            "messages": [{"role": "user", "content": "2+2?"}],
            "stream": False,
        }

    async def test_extra_goes_out_as_it_is(self) -> None:
        schema = {"type": "json_schema", "json_schema": {"schema": {"x": None}}}

        built = await requests(base_url=TGI).build(
            ask("tgi", extra={"top_k": 3, "empty": None, "response_format": schema})
        )

        assert isinstance(built.json, dict)
        assert built.json["top_k"] == 3
        assert built.json["empty"] is None
        assert built.json["response_format"] == schema

    async def test_max_tokens_goes_out_by_the_name_that_is_set(self) -> None:
        sender = on_router(max_tokens_field="max_completion_tokens")

        built = await sender.build(ask(max_tokens=8))

        assert isinstance(built.json, dict)
        assert built.json["max_completion_tokens"] == 8
        assert "max_tokens" not in built.json

    @pytest.mark.parametrize("path", ["/etc/passwd", "file:///etc/passwd"])
    async def test_content_that_looks_like_a_path_is_text(self, path: str) -> None:
        parts = [
            {"type": "text", "text": path},
            {"type": "image_url", "image_url": {"url": path}},
        ]

        as_text = await on_router().build(ask(content=path))
        as_parts = await on_router().build(ask(content=parts))

        assert "root:" not in repr((as_text, as_parts))
        assert as_text.json["messages"][0]["content"] == path  # type: ignore[index,call-overload]
        assert as_parts.json["messages"][0]["content"] == parts  # type: ignore[index,call-overload]
        assert as_text.data is None and as_parts.data is None


class TestTextGeneration:
    async def built(self, **config: Any) -> dict[str, Any]:
        sender = requests(base_url=TGI, api="completions")
        built = await sender.build(ask("tgi", **config))
        assert isinstance(built.json, dict)
        parameters: dict[str, Any] = built.json["parameters"]
        return parameters

    async def test_settings_go_out_in_the_words_of_the_server(self) -> None:
        parameters = await self.built(
            temperature=0.5,
            top_p=0.9,
            max_tokens=8,
            stop_sequences="\n",
            seed=7,
            top_logprobs=2,
            frequency_penalty=0.1,
            extra={"top_k": 5},
        )

        assert parameters == {
            "details": True,
            "return_full_text": False,
            "do_sample": True,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_new_tokens": 8,
            "stop": ["\n"],
            "seed": 7,
            "top_n_tokens": 2,
            "frequency_penalty": 0.1,
            "top_k": 5,
        }

    async def test_the_ends_of_the_ranges_are_said_otherwise(self) -> None:
        parameters = await self.built(temperature=0, top_p=1)

        assert parameters == {
            "details": True,
            "return_full_text": False,
            "do_sample": False,
        }

    async def test_a_schema_becomes_a_grammar(self) -> None:
        schema = {"type": "object"}

        parameters = await self.built(
            response_format={"type": "json_schema", "json_schema": {"schema": schema}}
        )

        assert parameters["grammar"] == {"type": "json", "value": schema}

    @pytest.mark.parametrize("api", ["chat", "completions"])
    async def test_a_schema_without_a_schema_is_refused(self, api: str) -> None:
        broken = ask("tgi", response_format={"type": "json_schema"})

        with pytest.raises(InvalidRequestError, match="schema"):
            await requests(base_url=TGI, api=api).build(broken)

    async def test_what_the_api_lacks_is_refused_by_name(self) -> None:
        with pytest.raises(InvalidRequestError, match="has no tools, tool_choice"):
            await self.built(tools=({"type": "function"},), tool_choice="auto")

    async def test_messages_become_one_text(self) -> None:
        conversation = Request(
            model="tgi",
            messages=(
                Message(role="system", content="Be brief."),
                Message(role="user", content="/etc/passwd"),
            ),
        )

        built = await requests(base_url=TGI, api="completions").build(conversation)

        assert isinstance(built.json, dict)
        assert built.json["inputs"] == "Be brief.\n\n/etc/passwd"
        assert built.json["stream"] is True


class TestSdk:
    """What we rely on and the SDK does not promise; a new version may break it."""

    def test_everything_is_sent_by_one_method(self) -> None:
        for task in (
            AsyncInferenceClient.chat_completion,
            AsyncInferenceClient.text_generation,
        ):
            assert "self._inner_post(" in inspect.getsource(task)

    def test_that_method_takes_the_request_and_whether_to_stream(self) -> None:
        parameters = inspect.signature(AsyncInferenceClient._inner_post).parameters

        assert list(parameters) == ["self", "request_parameters", "stream"]

    async def test_a_request_has_the_fields_that_are_read(self) -> None:
        built = await on_router().build(ask())

        assert set(vars(built)) == {"url", "task", "model", "json", "data", "headers"}
