"""Weights as Hugging Face's `LlamaForCausalLM` reads them: float16 safetensors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from torch import Tensor

from aistrale_lab.embedded.tokenizer import CHAT_TEMPLATE, END, Tokenizer
from aistrale_lab.embedded.training.network import NORM_EPSILON, ROPE_THETA, Shape

CONTEXT = 1_024
"""Tokens of a conversation and its answer at most."""


def save_model(
    folder: Path, shape: Shape, weights: dict[str, Tensor], tokenizer: Tokenizer
) -> None:
    """Write `config.json` and `model.safetensors`; the folder is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        f"model.{name}": tensor.numpy().astype(np.float16)
        for name, tensor in weights.items()
    }
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    _save_json(folder / "config.json", _config(shape, tokenizer))


def save_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    _save_json(folder / "tokenizer.json", tokenizer.as_json())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": END,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
    }
    _save_json(folder / "tokenizer_config.json", settings)


def _config(shape: Shape, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tokenizer.size,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.hidden // shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": NORM_EPSILON,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
        "rope_theta": ROPE_THETA,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.end,
        "pad_token_id": tokenizer.end,
        "dtype": "float16",
    }


def _save_json(file: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    file.write_text(text + "\n", "utf-8")
