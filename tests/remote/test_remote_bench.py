"""A bench over a team's server: the same facade, the work done there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.acted import ActedServer
from servers.team import TeamServer
from sqlalchemy import select

import aistrale_lab as lab
from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import (
    BudgetError,
    ConfigError,
    ForbiddenError,
    InvalidRequestError,
    LabError,
    NotFoundError,
    NotSignedInError,
    StoreError,
    ValidationError,
)
from aistrale_lab.lab.asking import Keep
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.calls import CALLS

MODELS = ["openai/right", "openai/picky"]


@pytest.fixture
def task() -> Task:
    samples = tuple(
        Sample(id=f"q{n}", input=f"What is {n} and 100 ?", target=str(n + 100))
        for n in range(1, 9)
    )
    return Task(dataset=Dataset(name="sums", samples=samples), scorers=("number",))


@pytest.fixture
def team(
    environment: None, monkeypatch: pytest.MonkeyPatch, store_url: str
) -> Iterator[TeamServer]:
    """A server whose bench alone knows the provider."""
    with ActedServer() as provider:
        with monkeypatch.context() as only_there:
            only_there.setenv("OPENAI_BASE_URL", provider.base_url)
            there = lab.Lab.open(store_url)
        monkeypatch.delenv("OPENAI_BASE_URL")
        monkeypatch.delenv("OPENAI_API_KEY")
        with there, TeamServer(there) as server:
            yield server


def token_of(team: TeamServer, user: UserRecord) -> str:
    secret, _ = team.app.state.tokens.add(user.id, "notebook", scopes=SCOPES)
    return str(secret)


SCOPES = {"read", "write", "inference"}


@pytest.fixture
def ann(team: TeamServer) -> UserRecord:
    return team.add_user("ann")


@pytest.fixture
def bench(
    team: TeamServer, ann: UserRecord, monkeypatch: pytest.MonkeyPatch
) -> Iterator[lab.Lab]:
    """Ann's bench over the server."""
    monkeypatch.setenv("AISTRALE_TOKEN", token_of(team, ann))
    with lab.Lab.open(team.url) as bench:
        yield bench


@pytest.fixture
def bobs(
    team: TeamServer, bench: lab.Lab, monkeypatch: pytest.MonkeyPatch
) -> Iterator[lab.Lab]:
    """Bob's."""
    monkeypatch.setenv("AISTRALE_TOKEN", token_of(team, team.add_user("bob")))
    with lab.Lab.open(team.url) as bobs:
        yield bobs


async def test_a_run_there_is_read_here_as_any_other(
    team: TeamServer, bench: lab.Lab, ann: UserRecord, task: Task
) -> None:
    experiment = await bench.run(task, MODELS, tags={"for": "test"})

    there = team.bench.experiment(experiment.id)
    assert there.record.owner == ann.id
    assert experiment.record.tags == {"for": "test"}
    assert [run.status for run in experiment.runs] == [RunStatus.COMPLETED] * 2
    assert experiment.results_df().equals(there.results_df())
    assert experiment.summary_df().equals(there.summary_df())
    assert bench.store_url == team.url


async def test_the_lanes_live_and_the_rows_come(bench: lab.Lab, task: Task) -> None:
    handle = bench.start(task, MODELS)
    await handle

    assert [lane.done for lane in handle.lanes] == [8, 8]
    assert [lane.failed for lane in handle.lanes] == [0, 1]
    assert "InvalidRequestError" in handle.lanes[1].recent[0]
    assert handle.lanes[0].output_tokens > 0
    assert len(handle.so_far().results_df()) == 16


async def test_the_same_again_is_not_sent_again(
    bench: lab.Lab, task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    first = await bench.run(task, MODELS)
    found = bench.find(task, MODELS)
    again = await bench.run(task, MODELS)
    fresh = await bench.run(task, MODELS, fresh=True)

    assert found is not None
    assert first.id == again.id == found.id != fresh.id
    assert "is finished already" in capsys.readouterr().err


async def test_a_run_is_stopped_here_attached_and_resumed(
    bench: lab.Lab, task: Task
) -> None:
    handle = bench.start(task, ["openai/stuck"], retries=0)
    attached = bench.attach(handle.experiment_id)
    handle.cancel()
    stopped = await handle

    assert attached is handle
    assert stopped.runs[0].status is RunStatus.INTERRUPTED
    assert not stopped.complete
    again = bench.start_resume(stopped.id, retries=0)
    assert again.experiment_id == stopped.id
    again.cancel()
    await again


async def test_another_bench_follows_and_a_closed_one_stops_nothing(
    team: TeamServer, bench: lab.Lab, task: Task
) -> None:
    handle = bench.start(task, ["openai/stuck"], retries=0)
    with lab.Lab.open(team.url) as other:
        joined = other.attach(handle.experiment_id)
        assert joined is not handle
        assert not joined.done()

    there = team.bench.attach(handle.experiment_id)
    assert not there.done()
    handle.cancel()
    assert (await handle).runs[0].status is RunStatus.INTERRUPTED


async def test_what_is_missing_is_sent_by_the_server(
    bench: lab.Lab, task: Task
) -> None:
    experiment = await bench.run(task, ["openai/picky"])

    again = await bench.resume(experiment.id[:10], failed=True)

    assert again.id == experiment.id
    assert again.runs[0].failed == 1
    assert set(again.results_df()["attempts"]) == {1, 2}


async def test_runs_are_compared_scored_and_exported(
    team: TeamServer, bench: lab.Lab, task: Task, tmp_path: Path
) -> None:
    experiment = await bench.run(task, MODELS)
    runs = [run.id for run in experiment.runs]

    with lab.Lab.open(team.url) as fresh:
        compared = fresh.compare(runs[0], runs[1][:12])
        beside = fresh.side_by_side(*runs)
        scored = fresh.score(experiment.id, "exact")
        rows = fresh.export(runs[0], tmp_path / "run.jsonl")
        listed = fresh.runs()

    assert compared.pairs == 7
    assert [run.id for run in beside.runs] == runs
    assert (scored, rows) == (15, 8)
    assert [run.id for run in listed] == runs[::-1]
    assert "exact" in team.bench.store.scorers_of(runs)


async def test_a_plan_is_made_there(bench: lab.Lab, task: Task) -> None:
    plan = bench.plan(task, MODELS, effect=0.1)

    assert [lane.model for lane in plan.lanes] == MODELS
    assert plan.lanes[0].calls == 8
    assert plan.lanes[0].input_tokens.expected is not None
    assert plan.power.effect == 0.1


async def test_what_is_private_is_not_found_and_what_is_shared_is_not_changed(
    team: TeamServer, bench: lab.Lab, bobs: lab.Lab, task: Task
) -> None:
    experiment = await bench.run(task, MODELS[:1])
    with pytest.raises(NotFoundError, match="there is no experiment"):
        bobs.experiment(experiment.id)
    team.bench.store.set_visibility(experiment.id, "team")

    shared = bobs.experiment(experiment.id)
    scored = bobs.score(experiment.id, "exact")

    assert len(shared.results_df()) == 8
    assert scored == 8
    assert team.bench.store.scorers_of([experiment.runs[0].id]) == ["number"]
    with pytest.raises(ForbiddenError):
        bobs.start_resume(experiment.id)


async def test_experiments_are_pushed_to_the_server_and_pulled_from_it(
    team: TeamServer, bench: lab.Lab, task: Task, tmp_path: Path
) -> None:
    experiment = await bench.run(task, MODELS)
    with lab.Lab.open(f"sqlite:///{tmp_path}/mine.db") as mine:
        [pulled] = mine.pull(team.url)
        [pushed] = mine.push(team.url)
        here = mine.experiment(experiment.id)

        assert here.results_df().equals(experiment.results_df())
        assert here.record.owner is None
    assert pulled.merged.results == 16
    assert pushed.merged.inserted == 0


def test_neither_the_server_nor_what_is_read_of_it_is_another_place(
    team: TeamServer, bench: lab.Lab
) -> None:
    for same in (team.url, bench.store.full_url):
        with pytest.raises(ConfigError, match="is the one that is open"):
            bench.push(same)


def test_what_the_server_refuses_is_said_in_its_words(
    bench: lab.Lab, task: Task
) -> None:
    with pytest.raises(ValidationError, match="unknown provider 'elsewhere'"):
        bench.start(task, ["elsewhere/model"])
    with pytest.raises(ConfigError, match="batches, which need a store"):
        bench.conduct(nothing(), so_far=lambda: None, handle_id="x", lanes=[])


async def test_a_model_is_asked_there_as_here(bench: lab.Lab, team: TeamServer) -> None:
    kept: list[Answer] = []
    question = "What is 2 and 40 ?"

    answer = await bench.ask(
        "openai/right", question, {"max_tokens": 9}, keep=keep(kept)
    )
    *pieces, last = [one async for one in bench.stream("openai/right", question)]

    assert isinstance(last, Answer)
    assert answer.text == last.text == "".join(one.text for one in pieces) == "42"
    assert kept == [answer]
    assert answer.config.max_tokens == 9
    assert answer.usage.output_tokens and answer.timing.duration
    recorded = team.bench.store.read(select(CALLS.c.id))
    assert {row.id for row in recorded} == {answer.id, last.id}


async def test_a_call_that_fails_there_fails_as_here(bench: lab.Lab) -> None:
    kept: list[Answer] = []

    for model, kind in [("picky", InvalidRequestError), ("refused", LabError)]:
        with pytest.raises(kind):
            await bench.ask(f"openai/{model}", "What is 7 and 1 ?", keep=keep(kept))
        with pytest.raises(kind):
            async for _ in bench.stream(f"openai/{model}", "What is 7 and 1 ?"):
                raise AssertionError("no piece comes")
    with pytest.raises(ValidationError, match="unknown provider"):
        await bench.ask("elsewhere/model", "Hello?")

    assert [one.error_type for one in kept][0] == "InvalidRequestError"
    with pytest.raises(ConfigError, match="no prices of its own"):
        bench.price("openai/right")


async def test_money_that_is_spent_there_is_a_budget_here(
    bench: lab.Lab, team: TeamServer, ann: UserRecord, task: Task
) -> None:
    team.app.state.accounts.change(ann.id, {"budget_usd": "0"})

    with pytest.raises(BudgetError):
        await bench.ask("openai/right", "What is 2 and 40 ?")
    with pytest.raises(BudgetError):
        await bench.run(task, MODELS)


def keep(kept: list[Answer]) -> Keep:
    async def taken(answer: Answer) -> None:
        kept.append(answer)

    return taken


async def nothing() -> None:
    """No work."""


def test_without_a_valid_token_one_is_told_how_to_make_one(
    team: TeamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AISTRALE_TOKEN", raising=False)
    with pytest.raises(NotSignedInError, match="AISTRALE_TOKEN is not set; make a"):
        lab.Lab.open(team.url)
    monkeypatch.setenv("AISTRALE_TOKEN", "wrong")

    with pytest.raises(NotSignedInError, match=r"does not know the token.*make a"):
        lab.Lab.open(team.url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bench.example", "not encrypted"),
        ("http://10.0.0.7:8000", "not encrypted"),
        ("https://ann:secret@bench.example", "credentials"),
        ("https://", "no http"),
    ],
)
def test_a_token_is_not_told_to_all_the_world(
    environment: None, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("AISTRALE_TOKEN", "a token")

    with pytest.raises(ConfigError, match=said):
        lab.Lab.open(url)


def test_a_server_that_is_away_is_a_store_that_is_away(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISTRALE_TOKEN", "a token")

    with pytest.raises(StoreError, match="cannot be reached"):
        lab.Lab.open("http://127.0.0.1:9")
