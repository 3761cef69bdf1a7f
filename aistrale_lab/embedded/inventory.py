"""Every model in the box."""

from collections.abc import Mapping

from aistrale_lab.embedded.baselines import BASELINES
from aistrale_lab.embedded.language import load_language_models
from aistrale_lab.embedded.models import Model


def load_models() -> Mapping[str, Model]:
    """Baselines and language models by their names; reads the weights."""
    return {**BASELINES, **load_language_models()}
