"""`python -m aistrale_lab.embedded.training`: train the models in the box anew."""

import argparse
import time
from pathlib import Path

from aistrale_lab.embedded.training.export import save_model, save_tokenizer
from aistrale_lab.embedded.training.network import Shape
from aistrale_lab.embedded.training.questions import SEED
from aistrale_lab.embedded.training.train import Recipe, cores, train
from aistrale_lab.embedded.training.vocabulary import make_tokenizer

MODELS = {
    "mini": (Shape(hidden=64, layers=2, heads=2, intermediate=192), 1.0),
    "small": (Shape(hidden=128, layers=4, heads=4, intermediate=384), 0.4),
}
"""Shapes, and rates: at the full ones, the larger model does not settle."""

STEPS = 5_000
"""Of 6,144 tokens: 30.7 million for each model."""


def main() -> None:
    """Train all models on the same number of tokens, and write them to a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m aistrale_lab.embedded.training", description=main.__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder to write to")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"{STEPS} by default")
    arguments = parser.parse_args()
    began = time.perf_counter()
    tokenizer = make_tokenizer(SEED)
    save_tokenizer(arguments.out, tokenizer)
    for name, (shape, rate) in MODELS.items():
        print(f"{name}: {arguments.steps} steps", flush=True)
        recipe = Recipe(shape, arguments.steps, rate, SEED, workers=cores())
        weights = train(recipe, tokenizer)
        save_model(arguments.out / name, shape, weights, tokenizer)
    minutes = (time.perf_counter() - began) / 60
    print(f"written to {arguments.out} after {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
