"""S21, S37 and S38 at the routes that ask models."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.recorded import RecordedServer
from servers.team import TeamServer
from sqlalchemy import select

import aistrale_lab as lab
from aistrale_lab.store.calls import CALLS

ADDRESSES = (
    "2130706433",
    "0x7f000001",
    "017700000001",
    "127.1",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "127\u30020\u30020\u30021",
    "169.254.169.254/latest/meta-data/",
    "allowed.example#@127.0.0.1/",
)
"""Forms of addresses that one reader takes for another host than the next."""

NAMES = (
    *(f"huggingface/http://{address}" for address in ADDRESSES),
    *(f"huggingface/{address}" for address in ADDRESSES),
    *(f"http://{address}" for address in ADDRESSES),
    "huggingface//127.0.0.1/x",
    "huggingface/../../x",
    "huggingface/org",
    "huggingface/org/name/more",
    "huggingface/org/name:a:b",
    "huggingface/org/..",
    "/openai/large",
    "openai//127.0.0.1:9",
    "openai/large\r\nHost: evil",
    "openai/large?x=1",
    "openai/" + "a" * 200,
    "replay/etc/passwd",
    "replay//etc/passwd",
    "unheard-of/m",
    "openai",
    "",
)
FETCHED = (
    "http://169.254.169.254/latest/meta-data/",
    "https://127.0.0.1/x.png",
    "file:///etc/passwd",
    "//127.0.0.1/x.png",
)
SECRET = "sk-SECRETSECRET0123"
INDISCREET = (
    '{"error": {"message": "key sk-SECRETSECRET0123 in /srv/secret/conf.py"}}',
    "<html><b>Traceback</b> /srv/secret/conf.py sk-SECRETSECRET0123</html>",
)


@pytest.fixture
def hub(
    environment: None,
    server: RecordedServer,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TeamServer]:
    """A server that has a key of Hugging Face's."""
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    monkeypatch.setenv("HF_BASE_URL", server.base_url)
    with lab.Lab.open(store_url) as bench, TeamServer(bench) as team:
        yield team


def recorded(team: TeamServer) -> list[Any]:
    return list(team.bench.store.read(select(CALLS)))


def ask(client: httpx2.Client, **asked: Any) -> httpx2.Response:
    body = {"model": "embedded/echo", "inputs": "hello", **asked}
    return client.post("/api/v1/inference", json=body)


def complete(client: httpx2.Client, **asked: Any) -> httpx2.Response:
    turns = [{"role": "user", "content": "hello"}]
    body = {"model": "embedded/echo", "messages": turns, **asked}
    return client.post("/v1/chat/completions", json=body)


def test_s21_no_name_of_a_model_is_an_address(
    hub: TeamServer, server: RecordedServer
) -> None:
    with hub.bearer(hub.add_user("ann")) as client:
        ours = {name: ask(client, model=name).status_code for name in NAMES}
        theirs = {name: complete(client, model=name).status_code for name in NAMES}

    assert ours == dict.fromkeys(NAMES, 422)
    assert set(theirs.values()) == {400, 404}, "malformed, or of no known provider"
    assert not server.calls and not recorded(hub)


def test_s21_a_good_name_is_not_refused(
    hub: TeamServer, server: RecordedServer
) -> None:
    with hub.bearer(hub.add_user("ann")) as client:
        for name in ("huggingface/meta-llama/Llama-3.1-8B", "huggingface/o/n:novita"):
            assert ask(client, model=name).status_code == 404, "no such model there"

    assert server.calls.total() == 2


@pytest.mark.parametrize("field", ["base_url", "api_key", "provider", "endpoint"])
def test_s21_no_request_chooses_where_it_goes(hub: TeamServer, field: str) -> None:
    there = {field: "http://127.0.0.1:9/v1"}

    with hub.bearer(hub.add_user("ann")) as client:
        answers = [
            ask(client, **there),
            ask(client, config=there),
            ask(client, config={"extra": there}),
            complete(client, **there),
        ]

    assert [a.status_code for a in answers] == [422, 422, 422, 400]


@pytest.mark.parametrize("url", FETCHED)
def test_s21_no_provider_is_made_to_fetch(hub: TeamServer, url: str) -> None:
    image = [{"type": "image_url", "image_url": {"url": url}}]
    turns = [{"role": "user", "content": image}]
    server_tool = {"type": "mcp", "server_url": url}

    with hub.bearer(hub.add_user("ann")) as client:
        body = {"model": "openai/large", "messages": turns}
        answers = [
            client.post("/api/v1/inference", json=body),
            complete(client, messages=turns),
            ask(client, config={"tools": [server_tool]}),
            complete(client, tools=[server_tool]),
        ]

    assert [a.status_code for a in answers] == [422, 400, 422, 400]
    assert not recorded(hub)


@pytest.fixture
async def canned() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


async def test_s21_a_provider_that_redirects_is_not_followed(
    environment: None, canned: CannedServer, server: RecordedServer, store_url: str
) -> None:
    canned.answers(Canned(status=307, headers={"location": f"{server.base_url}/x"}))

    answers = await asyncio.to_thread(_asked_of, canned, store_url)

    assert {a.status_code for a in answers} == {400}
    assert not server.calls


@pytest.mark.parametrize("said", INDISCREET)
@pytest.mark.parametrize("status", [400, 500])
async def test_s38_what_a_provider_says_is_for_the_log_alone(
    environment: None, canned: CannedServer, store_url: str, said: str, status: int
) -> None:
    headers = {"content-type": "text/html"}
    canned.answers(Canned(said.encode(), status=status, headers=headers))

    answers = await asyncio.to_thread(_asked_of, canned, store_url)

    for answer in answers:
        assert answer.status_code in (400, 502)
        assert "Error" in answer.text
        assert answer.headers["x-request-id"]
    assert_discreet(answers)


@pytest.mark.parametrize("status", [401, 403])
async def test_that_the_servers_own_key_was_refused_is_told_and_the_log_names_where(
    environment: None, canned: CannedServer, store_url: str, status: int
) -> None:
    canned.answers(Canned(INDISCREET[0].encode(), status=status))

    answers = await asyncio.to_thread(_asked_of, canned, store_url, False, True)

    assert [answer.status_code for answer in answers] == [502] * 4
    for answer in answers:
        told = answer.json()["error"]["message"]
        assert told.startswith("the provider 'here' refused the key that the server")
    assert_discreet(answers)
    log = Path(store_url.removeprefix("sqlite:///")).with_suffix(".log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    failed = [line for line in lines if line["event"] == "request_failed"]
    assert [line["provider"] for line in failed] == ["here"] * 4


async def test_how_long_a_provider_asks_to_wait_is_passed_on(
    environment: None, canned: CannedServer, store_url: str
) -> None:
    waits = {"retry-after": "9999", "content-type": "text/html"}
    canned.answers(Canned(INDISCREET[1].encode(), status=429, headers=waits))

    answers = await asyncio.to_thread(_asked_of, canned, store_url, False, True)

    told = [(answer.status_code, answer.headers["retry-after"]) for answer in answers]
    assert told == [(429, "9999")] * 4
    assert_discreet(answers)


async def test_s38_an_error_within_a_stream_is_for_the_log_alone(
    environment: None, canned: CannedServer, store_url: str
) -> None:
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"It"}}]}\n\n'
    failed = b"data: " + INDISCREET[0].encode() + b"\n\n"
    kind = {"content-type": "text/event-stream"}
    canned.answers(Canned([piece, failed], headers=kind))

    answers = await asyncio.to_thread(_asked_of, canned, store_url, True)

    for answer in answers:
        assert answer.status_code == 200 and "It" in answer.text
        assert "SECRET" not in answer.text and "secret" not in answer.text
        assert "Error" in answer.text


def assert_discreet(answers: list[httpx2.Response]) -> None:
    """What INDISCREET says is in no answer."""
    for answer in answers:
        for word in ("SECRET", "secret", "html", "Traceback"):
            assert word not in answer.text


def _asked_of(
    canned: CannedServer, store_url: str, *streams: bool
) -> list[httpx2.Response]:
    """Both routes' answers of a server whose provider is canned, streamed or not."""
    Path("aistrale.toml").write_text(
        f'[providers.here]\nbase_url = "{canned.base_url}"\napi_key_env = "HERE_KEY"\n'
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HERE_KEY", SECRET)
        with lab.Lab.open(store_url) as bench, TeamServer(bench) as team:
            with team.bearer(team.add_user("ann")) as client:
                return [
                    route(client, model="here/m", stream=stream)
                    for stream in streams or (False,)
                    for route in (ask, complete)
                ]


def test_s37_a_thousand_calls_at_once_are_not_let_in(
    bench: lab.Lab, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 60.0, 3
    with TeamServer(bench, user_concurrency=3) as team:
        ann, bob = team.add_user("ann"), team.add_user("bob")
        secret, _ = team.app.state.tokens.add(ann.id, "t", scopes=["inference"])
        refused = _post_many(team.url, secret, 1000, expected=997)
        with team.bearer(bob) as client:
            other = ask(client)

    assert len(refused) == 997
    assert {status for status, _ in refused} == {429}
    assert all(after for _, after in refused)
    assert server.peak == 3
    assert other.status_code == 200, "another user has a limit of their own"


def _post_many(
    url: str, secret: str, count: int, *, expected: int
) -> list[tuple[int, str | None]]:
    """Status and Retry-After of those that are answered; the rest are left."""
    body = {"model": "openai/large", "inputs": "What is 2 + 2?"}
    head = {"authorization": f"Bearer {secret}"}

    async def post_all() -> list[tuple[int, str | None]]:
        refused: list[tuple[int, str | None]] = []
        enough = asyncio.Event()
        unlimited = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=unlimited, headers=head) as session:

            async def post() -> None:
                async with session.post(f"{url}/api/v1/inference", json=body) as answer:
                    refused.append((answer.status, answer.headers.get("retry-after")))
                if len(refused) == expected:
                    enough.set()

            posts = [asyncio.create_task(post()) for _ in range(count)]
            async with asyncio.timeout(100):
                await enough.wait()
            for one in posts:
                one.cancel()
            await asyncio.gather(*posts, return_exceptions=True)
        return refused

    return asyncio.run(post_all())


def test_s37_a_body_of_ten_megabytes_is_not_read(team: TeamServer) -> None:
    with team.bearer(team.add_user("ann")) as client:
        answers = [ask(client, inputs="x" * 10_000_000)]
        turns = [{"role": "user", "content": "x" * 10_000_000}]
        answers.append(complete(client, messages=turns))

    assert [a.status_code for a in answers] == [413, 413]
    assert not recorded(team)


@pytest.mark.parametrize(
    "extra",
    [
        {"n": 100},
        {"best_of": 100},
        {"max_completion_tokens": 10**9},
        {"max_new_tokens": 10**9},
        {"min_tokens": 10**9},
        {"service_tier": "priority"},
        {"web_search_options": {}},
        {"model": "gpt-5-pro"},
        {"stream_options": {}},
    ],
)
def test_s37_nothing_makes_a_call_dearer_by_the_back_door(
    team: TeamServer, extra: dict[str, Any]
) -> None:
    with team.bearer(team.add_user("ann")) as client:
        ours = ask(client, config={"extra": extra})
        inside = ask(client, config=extra)

    assert (ours.status_code, inside.status_code) == (422, 422)
    assert not recorded(team)


def test_s37_a_call_has_one_answer_of_so_many_tokens(team: TeamServer) -> None:
    with team.bearer(team.add_user("ann")) as client:
        answers = [
            complete(client, n=100),
            complete(client, max_tokens=4097),
            complete(client, max_completion_tokens=10**9),
            ask(client, config={"max_tokens": 4097}),
        ]
        good = complete(client, n=1, max_tokens=4096)

    assert [a.status_code for a in answers] == [400, 400, 400, 422]
    assert good.status_code == 200
    assert recorded(team)[0].config["max_tokens"] == 4096
