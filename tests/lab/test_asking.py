"""One-off calls: whole, piece by piece, by many callers, failed, and left alone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path

import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import LAST, delta, four, sse
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, FinishReason
from aistrale_lab.errors import (
    InvalidRequestError,
    ModelNotFoundError,
    RateLimitError,
    TruncatedAnswerError,
    UnknownProviderError,
    ValidationError,
)

QUESTION = "What is 2 + 2?"


class Kept:
    """Keeps answers in a list; `done` is set once one is there."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.threads: set[str] = set()
        self.done = threading.Event()

    async def __call__(self, answer: Answer) -> None:
        await asyncio.sleep(0)
        self.answers.append(answer)
        self.threads.add(threading.current_thread().name)
        self.done.set()


@pytest.fixture
async def canned() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


@pytest.fixture
def scripted(
    canned: CannedServer,
    bench: lab.Lab,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[lab.Lab]:
    """A bench whose provider `here` answers with what is canned."""
    (tmp_path / "aistrale.toml").write_text(
        f'[providers.here]\nbase_url = "{canned.base_url}"\n'
    )
    with lab.Lab.open(f"sqlite:///{tmp_path}/scripted.db") as scripted:
        yield scripted


async def test_a_question_is_answered_with_tokens_times_and_price(
    environment: None, store_url: str, tmp_path: Path
) -> None:
    (tmp_path / "aistrale.toml").write_text(
        '[prices."openai/large"]\ninput_mtok = 1000\noutput_mtok = 1000\n'
    )
    with lab.Lab.open(store_url) as bench:
        answer = await bench.ask("openai/large", QUESTION, {"max_tokens": 5})

    assert answer.text == "4"
    assert answer.finish_reason is FinishReason.STOP
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 1)
    assert answer.cost == Decimal("0.011")
    assert answer.config.max_tokens == 5
    assert answer.timing.duration is not None and answer.timing.duration > 0
    assert answer.timing.queue is not None
    assert answer.attempts == 1


async def test_the_pieces_of_a_stream_make_up_its_answer(bench: lab.Lab) -> None:
    words = "one two three four five six seven eight nine ten eleven twelve"

    items = [item async for item in bench.stream("embedded/echo", words)]

    pieces = [item.text for item in items[:-1] if isinstance(item, Chunk)]
    assert len(pieces) == len(items) - 1 > 1
    assert isinstance(items[-1], Answer)
    assert "".join(pieces) == items[-1].text == words
    assert items[-1].timing.time_to_first_token is not None


async def test_many_callers_share_one_lane_and_each_has_an_own_answer(
    bench: lab.Lab,
) -> None:
    async def asked(n: int) -> str:
        return (await bench.ask("embedded/echo", f"number {n}")).text

    texts = await asyncio.gather(*map(asked, range(300)))

    assert list(texts) == [f"number {n}" for n in range(300)]


async def test_an_answer_is_kept_on_the_engine_before_it_is_told(
    bench: lab.Lab,
) -> None:
    kept = Kept()

    answer = await bench.ask("openai/large", QUESTION, keep=kept)
    streamed = [
        item async for item in bench.stream("openai/large", QUESTION, keep=kept)
    ]

    assert kept.answers == [answer, streamed[-1]]
    assert kept.threads == {"aistrale-engine"}
    assert len({answer.id for answer in kept.answers}) == 2


async def test_a_failed_call_is_kept_with_its_error_and_raised(
    bench: lab.Lab,
) -> None:
    kept = Kept()

    with pytest.raises(ModelNotFoundError):
        await bench.ask("openai/unheard-of", QUESTION, keep=kept)

    (failed,) = kept.answers
    assert failed.error_type == "ModelNotFoundError"
    assert failed.finish_reason is None
    assert failed.cost == 0, "the provider refused before it began"


async def test_a_transient_error_is_tried_again(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    canned.answers(Canned(b"{}", status=503), four())

    items = [item async for item in scripted.stream("here/m", QUESTION)]

    assert isinstance(items[-1], Answer)
    assert (items[-1].text, items[-1].attempts) == ("It is 4", 2)


async def test_a_stream_that_breaks_off_after_its_first_word_is_not_begun_again(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    canned.answers(sse(delta(content="It is"), done=False), four())
    kept, heard = Kept(), []

    with pytest.raises(TruncatedAnswerError):
        async for item in scripted.stream("here/m", QUESTION, keep=kept):
            heard.append(item)

    assert [item.text for item in heard] == ["It is"]
    assert len(canned.received) == 1
    assert kept.answers[0].text == "It is"
    assert kept.answers[0].error_type == "TruncatedAnswerError"
    assert kept.answers[0].cost is None, "what the provider bills is not known"


async def test_an_answer_asked_for_whole_is_begun_again_after_its_first_word(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    canned.answers(sse(delta(content="It is"), done=False), sse(LAST))

    answer = await scripted.ask("here/m", QUESTION)

    assert answer.attempts == 2


async def test_a_wait_that_is_too_long_is_a_rate_limit(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    canned.answers(Canned(b"{}", status=429, headers={"retry-after": "3600"}))
    kept = Kept()

    with pytest.raises(RateLimitError) as refused:
        await scripted.ask("here/m", QUESTION, keep=kept)

    assert refused.value.retry_after == 3600
    assert kept.answers[0].error_type == "RateLimitError"


async def test_who_leaves_a_whole_answer_cancels_the_call_which_is_kept_as_such(
    bench: lab.Lab, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 60.0, 1
    kept = Kept()

    asking = asyncio.create_task(bench.ask("openai/large", QUESTION, keep=kept))
    assert await asyncio.to_thread(server.reached.wait, 10)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(kept.done.wait, 10)
    assert kept.answers[0].error_type == "CancelledError"
    assert kept.answers[0].attempts == 1
    await until_idle(server)


async def test_who_leaves_a_stream_cancels_the_call_and_its_words_are_kept(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    half = sse(delta(content="It is"), done=False)
    canned.answers(Canned(half.body, headers=half.headers, end="hang"))
    kept = Kept()

    async with aclosing(scripted.stream("here/m", QUESTION, keep=kept)) as pieces:
        async for piece in pieces:
            assert piece.text == "It is"
            break

    assert await asyncio.to_thread(kept.done.wait, 10)
    assert kept.answers[0].error_type == "CancelledError"
    assert kept.answers[0].text == "It is"
    await asyncio.wait_for(canned.idle.wait(), 10)


async def test_closing_the_bench_ends_calls_and_keeps_them(
    environment: None, store_url: str, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 60.0, 1
    kept = Kept()

    with lab.Lab.open(store_url) as bench:
        asking = asyncio.create_task(bench.ask("openai/large", QUESTION, keep=kept))
        assert await asyncio.to_thread(server.reached.wait, 10)
        await asyncio.to_thread(bench.close)

    with pytest.raises(lab.LabError, match="closed before"):
        await asking
    assert kept.answers[0].error_type == "CancelledError"


async def test_two_benches_over_one_store_share_the_limits_of_an_endpoint(
    environment: None, store_url: str, server: RecordedServer, tmp_path: Path
) -> None:
    (tmp_path / "aistrale.toml").write_text("[providers.openai]\nrpm = 20\n")
    with lab.Lab.open(store_url) as one, lab.Lab.open(store_url) as other:
        await one.ask("openai/large", QUESTION)
        second = await other.ask("openai/large", QUESTION)

    assert second.timing.queue is not None
    assert second.timing.queue > 0.1, "the second call of three seconds waits"


@pytest.mark.parametrize(
    ("model", "messages", "config", "error", "told"),
    [
        ("nowhere/x", "hello", {}, UnknownProviderError, "known providers: embedded"),
        ("echo", "hello", {}, ValidationError, "provider/model"),
        ("embedded/echo", [], {}, ValidationError, "no message"),
        ("embedded/echo", [{"role": "king"}], {}, ValidationError, "role"),
        ("embedded/echo", "hello", {"max_tokens": 0}, ValidationError, "max_tokens"),
        ("embedded/echo", "hello", {"warmth": 1}, ValidationError, "warmth"),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words(
    bench: lab.Lab, model: str, messages: object, config: object, error: type, told: str
) -> None:
    with pytest.raises(error, match=told):
        await bench.ask(model, messages, config)  # type: ignore[arg-type]


async def test_what_the_model_refuses_is_raised(
    scripted: lab.Lab, canned: CannedServer
) -> None:
    canned.answers(Canned(b'{"error": {"message": "too hot"}}', status=400))

    with pytest.raises(InvalidRequestError, match="too hot"):
        await scripted.ask("here/m", QUESTION)

    assert len(canned.received) == 1


def test_a_script_asks_through_the_one_sync_door(bench: lab.Lab) -> None:
    answer = lab.wait(bench.ask, "embedded/calculator", QUESTION)

    assert "4" in answer.text


async def until_idle(server: RecordedServer) -> None:
    async with asyncio.timeout(10):
        while server.in_flight:
            await asyncio.sleep(0.01)
