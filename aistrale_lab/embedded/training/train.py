"""Train a model on the questions that are not held out, on two cores."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from aistrale_lab.embedded.tokenizer import Tokenizer
from aistrale_lab.embedded.training.network import Llama, Shape
from aistrale_lab.embedded.training.optimiser import make_optimisers
from aistrale_lab.embedded.training.skills import Question, training_questions

ROW = 96
"""Tokens in a row; about four questions and their answers."""

ROWS = 32
"""Rows that a worker takes in one step."""

WARM_UP = 60
"""Steps in which the rates rise."""

COOL_DOWN = 0.6
"""The last part of the steps, in which the rates fall to 0."""

IGNORED = -100
SYSTEM_TURNS = ("You are a helpful assistant.", "Answer the question.", "Be brief.")
SYSTEM_SHARE = 0.04

SHARES = {
    "add_1": 0.5,
    "add_2": 0.9,
    "add_3": 1.7,
    "sub_2": 0.9,
    "sub_3": 1.7,
    "reverse": 1.5,
    "upper": 0.8,
    "count_letters": 1.0,
    "compare": 0.7,
    "largest": 1.0,
    "sort_letters": 1.3,
    "sentiment": 0.3,
    "capitals": 0.5,
}
"""How often each skill is asked: those take more that are harder to learn."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained, for how long, and at what share of the optimisers' rates."""

    shape: Shape
    steps: int
    rate: float
    seed: int
    workers: int


def train(recipe: Recipe, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """The weights after training, by their names, on the CPU in float32."""
    with TemporaryDirectory() as folder:
        meeting, outcome = Path(folder) / "meeting", Path(folder) / "weights.pt"
        workers = [
            get_context("spawn").Process(
                target=_work, args=(rank, recipe, tokenizer, meeting, outcome)
            )
            for rank in range(recipe.workers)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            raise RuntimeError("a training worker failed; its traceback is above")
        weights: dict[str, Tensor] = torch.load(outcome)
        return weights


def _work(
    rank: int, recipe: Recipe, tokenizer: Tokenizer, meeting: Path, outcome: Path
) -> None:
    """One worker: its own rows, everybody's gradients."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=recipe.workers
    )
    torch.manual_seed(recipe.seed)
    model = Llama(recipe.shape, tokenizer.size)
    optimisers = make_optimisers(model)
    rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    rows = _rows(tokenizer, Random(f"{recipe.seed}:{rank}"))
    began, said = time.perf_counter(), 0.0
    for step in range(recipe.steps):
        share = recipe.rate * _rate(step, recipe.steps)
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * share
        said += _step(model, rows, recipe.workers)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if rank == 0 and (step + 1) % 100 == 0:
            tokens = (step + 1) * ROW * ROWS * recipe.workers
            took = time.perf_counter() - began
            print(
                f"step {step + 1}/{recipe.steps}  loss {said / 100:.3f}  "
                f"{tokens / 1e6:.2f} M tokens  {tokens / took:,.0f} a second",
                flush=True,
            )
            said = 0.0
    if rank == 0:
        torch.save(model.state_dict(), outcome)
    dist.destroy_process_group()


def _step(model: Llama, rows: Iterator[tuple[Tensor, Tensor]], workers: int) -> float:
    """Leave the mean gradient of all workers in the weights; the loss of this one."""
    tokens, wanted = next(rows)
    at = (wanted != IGNORED).flatten().nonzero().squeeze(1)
    loss = F.cross_entropy(model(tokens, at), wanted.flatten()[at])
    loss.backward()
    if workers > 1:
        weights = list(model.parameters())
        flat = torch.cat([w.grad.flatten() for w in weights if w.grad is not None])
        dist.all_reduce(flat)
        flat /= workers
        for weight, gradient in zip(
            weights, flat.split([w.numel() for w in weights]), strict=True
        ):
            weight.grad = gradient.view_as(weight)
    return loss.item()


def _rate(step: int, steps: int) -> float:
    """Up, level, and down to 0, as a share of the full rate."""
    left = (steps - step) / (COOL_DOWN * steps)
    return min(1.0, (step + 1) / WARM_UP, left)


def _rows(tokenizer: Tokenizer, random: Random) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and wanted tokens of one step after another, (rows, length)."""
    questions = training_questions(random, SHARES)
    left: list[int] = []
    answers: list[bool] = []
    while True:
        tokens = np.full((ROWS, ROW + 1), tokenizer.end)
        wanted = np.full((ROWS, ROW + 1), IGNORED)
        for row in range(ROWS):
            filled = 0
            while filled + len(left) <= ROW + 1:
                end = filled + len(left)
                tokens[row, filled:end] = left
                wanted[row, filled:end] = np.where(answers, left, IGNORED)
                filled = end
                left, answers = _turn(tokenizer, next(questions), random)
        yield torch.from_numpy(tokens[:, :-1]), torch.from_numpy(wanted[:, 1:])


def _turn(
    tokenizer: Tokenizer, question: Question, random: Random
) -> tuple[list[int], list[bool]]:
    """The tokens of a question and its answer, and which of them are the answer's."""
    turns = [("user", question.text)]
    if random.random() < SYSTEM_SHARE:
        turns.insert(0, ("system", random.choice(SYSTEM_TURNS)))
    asked = tokenizer.conversation(turns)
    answer = [*tokenizer.encode(question.answer), tokenizer.end]
    return asked + answer, [False] * len(asked) + [True] * len(answer)


def cores() -> int:
    """The cores that this process may use, two at most."""
    return min(2, len(os.sched_getaffinity(0)))
