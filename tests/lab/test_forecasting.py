"""Plans: what a run would take, from the store and the settings, without a call."""

import pytest
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import NotFoundError, UnknownScorerError

MODELS = ["openai/small", "openai/large"]


async def test_a_plan_sends_and_stores_nothing(
    bench: lab.Lab, server: RecordedServer, task: Task
) -> None:
    found = bench.plan(task, models=MODELS, effect=0.2)

    assert [lane.calls for lane in found.lanes] == [20, 20]
    assert found.lanes[0].input_tokens.low is not None
    assert found.power.needed == 57
    assert not server.calls.total()
    assert not bench.runs()


async def test_a_pilot_tells_what_its_models_take(bench: lab.Lab, task: Task) -> None:
    pilot = await bench.run(task, models=MODELS, name="pilot")

    found = bench.plan(task, models=[*MODELS, "openai/new"], pilot=pilot.id)

    known, _, unknown = found.lanes
    assert known.seconds.expected is not None
    assert unknown.seconds.expected is None
    assert found.power.discordance == 0.95  # `small` is right once, `large` always


async def test_a_plan_needs_no_key(
    bench: lab.Lab, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    with lab.Lab.open("sqlite:///other.db") as keyless:
        found = keyless.plan(
            task, models=["openai/gpt-5-mini", "huggingface/a/b"], output_tokens=5
        )

    assert found.lanes[0].cost_usd.expected
    assert found.lanes[1].cost_usd.expected is None


async def test_a_plan_checks_what_a_run_would_check(bench: lab.Lab, task: Task) -> None:
    with pytest.raises(UnknownScorerError):
        bench.plan(task.model_copy(update={"scorers": ("beauty",)}), models=MODELS)
    with pytest.raises(NotFoundError):
        bench.plan(task, models=MODELS, pilot="nothing")


async def test_a_forecast_is_held_against_what_came(bench: lab.Lab, task: Task) -> None:
    done = await bench.run(task, models=["embedded/mini"])

    found = {one.name: one for one in bench.score_plan(done.runs[0].id)}

    tokens = done.results_df()["input_tokens"].sum()
    assert found["input_tokens"].actual == tokens
    assert found["input_tokens"].inside is not None
    assert found["cost_usd"].actual == 0.0
