"""Rows 31 to 39 of the fault matrix: what the network and the machine do."""

import asyncio
import json
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import (
    KINDS,
    ask,
    four,
    open_lane,
    question,
    refusal,
    run,
    said_by,
    texts,
    whole,
)

from aistrale_lab import Dataset, Lab, Sample, Task
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.execute import Stop
from aistrale_lab.engine.generate import generate
from aistrale_lab.lab.provenance import provenance

TESTS = Path(__file__).parents[1]


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


class TestReaching:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_31_a_refused_connection_ends_the_lane_with_its_cause(
        self, kind: str
    ) -> None:
        port = free_port()

        job, kept = await run(
            f"http://127.0.0.1:{port}", samples=20, kind=kind, retries=2
        )

        assert (job.stop, job.status) == (Stop.DEAD, RunStatus.FAILED)
        assert {(r.error_type, r.attempts) for r in kept} >= {
            ("ConnectionFailedError", 3)
        }
        assert len(kept) <= 4
        assert job.reason is not None and str(port) in job.reason
        assert "Connect call failed" in job.reason or "refused" in job.reason

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_31_a_name_that_does_not_exist_ends_the_lane(
        self, kind: str
    ) -> None:
        job, kept = await run("http://nowhere.invalid", kind=kind, retries=1)

        assert job.stop is Stop.DEAD
        assert job.reason is not None and "nowhere.invalid" in job.reason
        assert kept[0].error_type == "ConnectionFailedError"

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_31_an_unreachable_network_ends_the_lane(self, kind: str) -> None:
        job, kept = await run("http://255.255.255.255:9", kind=kind, retries=1)

        assert "unreachable" in (job.reason or "")
        assert job.stop is Stop.DEAD
        assert kept[0].error_type == "ConnectionFailedError"

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_32_a_connection_reset_twice_then_good_takes_three_attempts(
        self, server: CannedServer, kind: str
    ) -> None:
        reset = Canned(bare=True, end="reset")
        server.answers(reset, reset, four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 3
        assert {a.error_type for a in outcome.failed} == {"ConnectionFailedError"}

    async def test_row_32_resets_without_end_fail_the_sample_not_the_lane(
        self, server: CannedServer
    ) -> None:
        server.answers(Canned(bare=True, end="reset"))

        job, kept = await run(server.base_url, samples=5, retries=1)

        assert job.stop is None
        assert [result.attempts for result in kept] == [2] * 5

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_33_the_call_after_a_500_on_a_dead_connection_is_good(
        self, server: CannedServer, kind: str
    ) -> None:
        body = b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}"
        dead = Canned([body], bare=True, end="cut")
        server.answers(dead, four(), dead, four())

        async with open_lane(server.base_url, kind=kind) as lane:
            first = await generate(lane, question())
            second = await generate(lane, question())

        assert first.completion is not None and first.attempts == 2
        assert second.completion is not None and second.attempts == 2
        assert first.failed[0].error_type == "ServerError"

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
    async def test_row_34_a_content_length_that_is_too_long_is_retried(
        self, server: CannedServer, kind: str, content_type: str
    ) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n"
        short = f"{head}content-length: 5000\r\n\r\n{{".encode()
        server.answers(Canned([short], bare=True, end="cut"), four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type in (
            "ConnectionFailedError",
            "MalformedAnswerError",
        )

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "head", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n"]
    )
    async def test_row_34_what_is_not_http_is_an_error_of_the_connection(
        self, server: CannedServer, kind: str, head: bytes
    ) -> None:
        server.answers(Canned([head], bare=True, end="cut"))

        outcome = await ask(server.base_url, kind=kind, retries=1)

        assert type(outcome.error).__name__ == "ConnectionFailedError"
        assert outcome.attempts == 2

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_35_a_server_that_says_nothing_meets_the_deadline(
        self, server: CannedServer, kind: str
    ) -> None:
        server.answers(Canned(bare=True, end="hang"), four())

        outcome = await ask(server.base_url, kind=kind, timeout=0.4)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type == "DeadlineError"
        assert 0.4 <= outcome.failed[0].duration < 1.5

    async def test_row_35_cancelling_a_hanging_call_closes_its_connection(
        self, server: CannedServer
    ) -> None:
        server.answers(Canned(bare=True, end="hang"))

        async with open_lane(server.base_url) as lane:
            call = asyncio.create_task(generate(lane, question()))
            async with asyncio.timeout(5):
                while not server.received:
                    await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

            await asyncio.wait_for(server.idle.wait(), 1.0)


class TestRedirects:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_row_36_a_redirect_is_refused_and_ends_the_lane(
        self, server: CannedServer, kind: str, status: int
    ) -> None:
        async with canned_server() as other:
            other.answers(four())
            target = f"{other.base_url}/chat/completions"
            server.answers(said_by(status, b"", location=target))

            job, kept = await run(server.base_url, samples=20, kind=kind)

        assert other.received == []
        assert job.stop is Stop.DEAD
        assert "redirects" in (job.reason or "") and len(kept) <= 5
        assert {result.attempts for result in kept} == {1}

    async def test_row_36_a_redirect_to_itself_is_not_followed(
        self, server: CannedServer
    ) -> None:
        server.answers(said_by(307, b"", location="/chat/completions"))

        await run(server.base_url, samples=1)

        assert len(server.received) == 1


@cache
def what_became_of_huge_answers(kind: str) -> dict[str, dict[str, Any]]:
    """In a process of their own, one after the other; see servers/huge.py."""
    said = subprocess.run(
        [sys.executable, "-m", "servers.huge", kind],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert said.returncode == 0, said.stderr
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.xdist_group("huge answers")
class TestHugeAnswers:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("name", "error", "said"),
        [
            ("50 MB of JSON", "MalformedAnswerError", "larger than"),
            ("50 MB of events", "MalformedAnswerError", "larger than"),
            ("50 MB of tokens", "MalformedAnswerError", "larger than"),
            ("50 MB in a line", "MalformedAnswerError", "larger than"),
            ("50 MB of an error", "ServerError", "500"),
            ("gzip bomb", "MalformedAnswerError", "larger than"),
            ("gzip bomb of events", "MalformedAnswerError", "larger than"),
            ("gzip bomb of an error", "ServerError", "500"),
            ("200k-deep JSON", "MalformedAnswerError", "no JSON"),
            ("200k-deep object", "MalformedAnswerError", "no JSON"),
            ("200k-deep event", "MalformedAnswerError", "no JSON"),
            ("200k-deep error", "ServerError", "500"),
        ],
    )
    def test_row_37_a_huge_answer_is_refused_in_bounded_memory(
        self, kind: str, name: str, error: str, said: str
    ) -> None:
        line = what_became_of_huge_answers(kind)[name]

        assert line["error"] == error
        assert said in line["message"]
        assert line["peak"] < 300
        assert line["seconds"] < 10


def task(samples: int) -> Task:
    dataset = Dataset(
        name="sums",
        samples=tuple(Sample(id=str(n), input=f"{n}+{n}?") for n in range(samples)),
    )
    return Task(dataset=dataset)


class TestEnvironment:
    async def test_row_38_the_base_url_is_in_the_record_and_nothing_is_rerouted(
        self, server: CannedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        server.answers(four())
        async with canned_server() as proxy:
            proxy.answers(four())
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
            monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            with Lab.open(f"sqlite:///{tmp_path}/store.db") as lab:
                experiment = await lab.run(task(1), models=["openai/m"])
                [record] = experiment.runs

        assert record.base_url == server.base_url
        assert len(server.received) == 1 and proxy.received == []

    def test_row_38_the_proxy_is_recorded_without_its_password(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://me:pw123@proxy.example:3128")

        recorded = provenance()["proxies"]["HTTPS_PROXY"]

        assert recorded == "http://proxy.example:3128"

    async def test_row_04_a_dead_lane_does_not_stop_the_other(
        self, server: CannedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        server.answers(refusal(429, "You exceeded your quota", "insufficient_quota"))
        async with canned_server() as other:
            other.answers(whole())
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
            monkeypatch.setenv("HF_BASE_URL", other.base_url)
            monkeypatch.setenv("HF_TOKEN", "hf_loopback")
            with Lab.open(f"sqlite:///{tmp_path}/store.db") as lab:
                experiment = await lab.run(
                    task(30),
                    models=["openai/m", "huggingface/org/m"],
                    concurrency=2,
                    stream=False,
                )
                dead, good = experiment.runs

        assert (dead.status, good.status) == (RunStatus.FAILED, RunStatus.COMPLETED)
        assert "QuotaError" in (dead.reason or "")
        assert len(server.received) <= 3 and len(other.received) == 30


FEW_FILES = """
    import asyncio, resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    from aistrale_lab import Dataset, Lab, Sample, Task

    samples = tuple(Sample(id=str(n), input=f"{n}?") for n in range(300))
    task = Task(dataset=Dataset(name="sums", samples=samples))
    with Lab.open(sys.argv[1]) as lab:
        run = lab.start(task, models=["openai/m"], concurrency=1000, retries=0)
        frame = run.wait().results_df()
    print(len(frame), int(frame["error_type"].notna().sum()))
"""


class TestFewFiles:
    async def test_row_39_few_open_files_bound_the_concurrency_and_fail_nothing(
        self, server: CannedServer, tmp_path: Path
    ) -> None:
        server.answers(four(pause=0.01))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", textwrap.dedent(FEW_FILES)),
            f"sqlite:///{tmp_path}/store.db",
            env={
                "PATH": "",
                "HOME": str(tmp_path),
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": "sk-loopback",
            },
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        said, complaint = await asyncio.wait_for(child.communicate(), 60)

        assert said.decode().split() == ["300", "0"], complaint.decode()
        assert len(server.received) == 300


async def test_row_32_the_samples_of_a_shaky_line_all_complete(
    server: CannedServer,
) -> None:
    reset = Canned(bare=True, end="reset")
    server.answers(reset, four(), reset, four(), reset, four())

    job, kept = await run(server.base_url, samples=10)

    assert job.status is RunStatus.COMPLETED
    assert len(texts(kept)) == 10
