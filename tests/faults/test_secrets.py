"""Rows S8, S9, S10, S14 and S21 of the security matrix, with their payloads."""

import gzip
import json
import pickle
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import KEY, KINDS, four, question, refusal, runner_of, said_by, sse

from aistrale_lab import Dataset, Lab, ModelRef, Sample, Task
from aistrale_lab.domain.chat import Request
from aistrale_lab.errors import ConfigError, LabError, RunnerError, ValidationError
from aistrale_lab.logs import redact
from aistrale_lab.runners.base import Endpoint, check_base_url
from aistrale_lab.runners.chat_answers import chunk_from_body
from aistrale_lab.runners.registry import make_runner
from aistrale_lab.runners.responses_answers import chunk_from_response

VARIABLES = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "huggingface": ("HF_TOKEN", "HF_BASE_URL"),
}
TASK = Task(dataset=Dataset(name="sum", samples=(Sample(id="1", input="2+2?"),)))


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        canned.answers(four())
        yield canned


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN", "HF_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def everything_written(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())


def everything_shown(error: BaseException) -> str:
    """Message, arguments, attributes, chain, traceback and pickle of an error."""
    shown = ["".join(traceback.format_exception(error)), repr(error.args)]
    shown += [repr(vars(error)), repr(error.__cause__), repr(error.__context__)]
    shown.append(pickle.dumps(error).decode("latin-1"))
    return "\n".join(shown)


class TestS8:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "key",
        [
            "sk-SECRET\n",
            "sk-SECRET ",
            "sk-SECRET\u00e9",
            "sk-SECRET\r\nX-Evil: 1",
            "sk-SECRET\x7f",
        ],
        ids=ascii,
    )
    async def test_s8_a_key_that_is_no_header_is_refused_before_any_call(
        self,
        server: CannedServer,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        kind: str,
        key: str,
    ) -> None:
        key_variable, url_variable = VARIABLES[kind]
        monkeypatch.setenv(key_variable, key)
        monkeypatch.setenv(url_variable, server.base_url)

        with Lab.open(f"sqlite:///{tmp_path}/store.db") as lab:
            with pytest.raises(ConfigError, match=key_variable) as caught:
                await lab.run(TASK, models=[f"{kind}/org/m"])

        assert server.received == []
        assert "SECRET" not in everything_shown(caught.value)
        assert b"SECRET" not in everything_written(tmp_path)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("key", ["sk-SECRET\n", "sk-\u00e9SECRET", "sk-SECRET\r\n"])
    def test_s8_a_runner_made_by_hand_refuses_it_too(self, kind: str, key: str) -> None:
        endpoint = Endpoint(
            provider=kind, kind=kind, base_url="http://h/v1", key=SecretStr(key)
        )

        with pytest.raises(ConfigError) as caught:
            make_runner(endpoint)

        assert "SECRET" not in everything_shown(caught.value)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_s8_a_401_that_echoes_the_key_leaves_no_trace_of_it(
        self,
        server: CannedServer,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        kind: str,
    ) -> None:
        told = f"Incorrect API key provided: {KEY}. Find yours at http://h/?key={KEY}"
        server.answers(refusal(401, told, "invalid_api_key"))
        key_variable, url_variable = VARIABLES[kind]
        monkeypatch.setenv(key_variable, KEY)
        monkeypatch.setenv(url_variable, server.base_url)

        with Lab.open(f"sqlite:///{tmp_path}/store.db") as lab:
            experiment = await lab.run(TASK, models=[f"{kind}/org/m"])
            frame = experiment.results_df()
            shown = frame.to_csv() + experiment._repr_html_() + repr(experiment.runs)
            written = everything_written(tmp_path)  # with the write-ahead log

        assert frame["error_type"].tolist() == ["AuthenticationError"]
        assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY not in shown
        assert KEY.encode() not in written
        assert KEY.encode() not in everything_written(tmp_path)


ECHOES = [
    refusal(401, f"bad key {KEY}"),
    refusal(500, f"bad key {KEY}"),
    said_by(502, f"<p>{KEY}</p>"),
    said_by(200, f"<p>{KEY}</p>", content_type="text/html"),
    said_by(200, {"error": {"message": f"bad key {KEY}", "code": KEY}}),
    said_by(307, b"", location=f"http://h/?key={KEY}"),
    sse({"error": {"message": f"bad key {KEY}"}}),
    sse({"echo": KEY}),
    sse(f"{KEY} is no JSON"),
    Canned([f"{KEY}: no HTTP\r\n\r\n".encode()], bare=True, end="cut"),
]


class TestS9:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("echo", ECHOES, ids=range(len(ECHOES)))
    async def test_s9_no_error_holds_the_key_however_it_is_looked_at(
        self, server: CannedServer, kind: str, echo: Canned
    ) -> None:
        server.answers(echo)
        runner = runner_of(server.base_url, kind=kind)

        with pytest.raises(RunnerError) as caught:
            async for _ in runner.stream(question()):
                pass
        await runner.close()

        assert KEY not in everything_shown(caught.value)
        assert KEY not in everything_shown(pickle.loads(pickle.dumps(caught.value)))

    @pytest.mark.parametrize("kind", KINDS)
    def test_s9_no_repr_shows_the_key(self, kind: str) -> None:
        endpoint = Endpoint(provider=kind, kind=kind, key=SecretStr(KEY))
        runner = runner_of("http://h/v1", kind=kind)

        for shown in (repr(endpoint), endpoint.model_dump_json(), repr(runner)):
            assert KEY not in shown


class TestS10:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "url",
        [
            "http://user:pw123@h/",
            "http://:pw123@h/v1",
            "http://pw123@h/v1",
            "http://h/v1?api_key=pw123",
            "http://h/v1#pw123",
            "http:user:pw123@h/v1",
            "http:/user:pw123@h/v1",
            "user:pw123@h/v1",
            "http://user:pw123",
            "http://user:pw123@[h/v1",
            "http://allowed.example#@127.0.0.1/pw123",
        ],
    )
    async def test_s10_a_base_url_with_a_secret_is_refused_and_not_repeated(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, url: str
    ) -> None:
        key_variable, url_variable = VARIABLES[kind]
        monkeypatch.setenv(key_variable, "sk-loopback")
        monkeypatch.setenv(url_variable, url)

        with Lab.open(f"sqlite:///{tmp_path}/store.db") as lab:
            with pytest.raises(ConfigError, match=url_variable) as caught:
                await lab.run(TASK, models=[f"{kind}/org/m"])

        assert "pw123" not in everything_shown(caught.value)
        assert b"pw123" not in everything_written(tmp_path)

    @pytest.mark.parametrize("url", ["http://h/run/@cf/v1/", "https://[::1]:8000/v1"])
    def test_s10_a_base_url_without_one_is_kept(self, url: str) -> None:
        assert check_base_url(url, name="X") == url.rstrip("/")


class TestS14:
    def test_s14_recorded_answers_are_never_redacted(self, shared_data: Path) -> None:
        checked = 0
        with gzip.open(shared_data / "wire_answers.jsonl.gz", "rt") as lines:
            for line in map(json.loads, lines):
                body = line["body"]
                if line["status"] != 200 or not body.startswith("{"):
                    continue
                if "chat/completions" in line["path"]:
                    assert chunk_from_body(body.encode()).raw == body
                elif "responses" in line["path"]:
                    assert chunk_from_response(body.encode()).raw == body
                else:
                    continue
                checked += 1

        assert checked > 100

    async def test_s14_an_answer_that_looks_like_a_key_is_kept(
        self, server: CannedServer
    ) -> None:
        runner = runner_of(server.base_url)
        text = "sk-thisLooksLikeAKey0123456789"
        server.answers(
            sse({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]})
        )

        said = "".join([chunk.text async for chunk in runner.stream(question())])
        await runner.close()

        assert said == text

    @pytest.mark.parametrize(
        "text",
        [
            "http://h/ask-boosts-lung-cancer-portfolio-with-new-data",
            "gAAAAABmTask-XyzAbcDefGhiJklMnoPqrStu",
            "_sk-aaaaaaaaaaaaaaaaaaaaaaaa",
        ],
    )
    def test_s14_what_is_inside_a_word_is_no_key(self, text: str) -> None:
        assert redact(text) == text


URLS = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://127.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://127\u30020\u30020\u30021/",
    "http://169.254.169.254/latest/meta-data/",
    "http://allowed.example#@127.0.0.1/",
    "//169.254.169.254/x",
    "/etc/passwd",
    "../../etc/passwd",
    "a/../../b",
]


class TestS21:
    @pytest.mark.parametrize("name", URLS)
    def test_s21_a_model_name_that_is_an_address_is_refused(self, name: str) -> None:
        with pytest.raises(ValidationError):
            ModelRef.parse(f"huggingface/{name}")

    @pytest.mark.parametrize("name", URLS)
    async def test_s21_the_hugging_face_runner_calls_no_address_in_a_model_name(
        self, server: CannedServer, name: str
    ) -> None:
        runner = runner_of(server.base_url, kind="huggingface")
        request = Request(model=name, messages=question().messages)

        with pytest.raises(LabError):
            async for _ in runner.stream(request):
                pass
        await runner.close()

        assert server.received == []

    @pytest.mark.parametrize("kind", KINDS)
    async def test_s21_a_redirecting_server_gets_nothing_sent_elsewhere(
        self, server: CannedServer, kind: str
    ) -> None:
        async with canned_server() as inside:
            inside.answers(four())
            server.answers(said_by(302, b"", location=f"{inside.base_url}/latest/"))
            runner = runner_of(server.base_url, kind=kind)

            with pytest.raises(RunnerError, match="redirects"):
                async for _ in runner.stream(question()):
                    pass
            await runner.close()

        assert inside.received == []
