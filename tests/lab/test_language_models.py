"""The language models in the box through our runners: one answer, however asked."""

from collections.abc import Iterator
from typing import Any

import pytest
from servers.boxed import boxed_models

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.embedded.training.skills import held_out_questions

DRAWN = {"temperature": 1.5, "top_p": 0.95, "seed": 11}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with boxed_models() as base_url:
        yield base_url


@pytest.fixture
def bench(
    base_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[lab.Lab]:
    for prefix in ("OPENAI", "HF"):
        monkeypatch.setenv(f"{prefix}_BASE_URL", base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("HF_TOKEN", "hf_any")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with lab.Lab.open(f"sqlite:///{tmp_path}/store.db") as bench:
        yield bench


@pytest.mark.parametrize("config", [{}, DRAWN], ids=["greedy", "drawn"])
async def test_answers_are_the_same_streamed_or_not_and_by_either_runner(
    bench: lab.Lab, config: dict[str, Any]
) -> None:
    questions = held_out_questions(3, seed=12)
    samples = tuple(
        Sample(id=str(place), input=question.text, target=question.answer)
        for place, question in enumerate(questions)
    )
    task = lab.Task(
        dataset=Dataset(name="held out", samples=samples),
        config=lab.GenerateConfig(**config),
        scorers=("exact",),
    )
    models = [
        f"{provider}/{name}"
        for name in ("small", "mini")
        for provider in ("openai", "huggingface", "embedded")
    ]

    streamed = await bench.run(task, models=models, name="streamed")
    whole = await bench.run(task, models=models, name="whole", stream=False)

    for name in ("small", "mini"):
        answers = {
            tuple(rows.sort_values("sample_id")["output"])
            for experiment in (streamed, whole)
            for model, rows in experiment.results_df().groupby("model")
            if str(model).endswith(name)
        }
        assert len(answers) == 1
