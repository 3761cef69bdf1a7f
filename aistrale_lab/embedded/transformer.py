"""Llama in numpy: weights in, logits out, with a cache of keys and values.

What a row of numbers becomes never depends on the rows computed beside it: rows are
multiplied by so many at a time that BLAS treats all of them alike, on every processor.
So an answer is the same whoever else is being answered.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float32]

ROWS = 4
"""Rows are multiplied by so many: of more, BLAS adds the last ones otherwise."""

WIDTH = 64
"""Columns are computed by so many: BLAS adds those that are left over otherwise."""

FIRST_ROOM = 64
"""Tokens that a cache has room for at first; it doubles when it is full."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model, as its `config.json` tells it."""

    hidden: int
    layers: int
    heads: int
    context: int
    theta: float
    epsilon: float

    @classmethod
    def load(cls, file: Path) -> "Shape":
        """The shape in a `config.json`."""
        config = json.loads(file.read_text("utf-8"))
        return cls(
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            context=config["max_position_embeddings"],
            theta=config["rope_parameters"]["rope_theta"],
            epsilon=config["rms_norm_eps"],
        )

    @property
    def dimensions(self) -> int:
        """Dimensions of a head."""
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True)
class _Layer:
    """The matrices of a layer, (in, out), with the norm before each taken in.

    `attend` makes queries and keys, the same a quarter turn on, and values; the first
    half of `widen`, and `narrow`, are negated.
    """

    attend: Floats
    join: Floats
    widen: Floats
    narrow: Floats


class Cache:
    """Keys and values of the tokens of one conversation so far."""

    def __init__(self, shape: Shape) -> None:
        self.length = 0
        room = min(FIRST_ROOM, shape.context)
        size = (shape.layers, shape.heads, shape.dimensions)
        self.keys: Floats = np.empty((*size, room), np.float32)
        self.values: Floats = np.empty(
            (shape.layers, shape.heads, room, shape.dimensions), np.float32
        )

    def make_room(self, tokens: int) -> None:
        """Have room for so many more tokens."""
        room = self.keys.shape[-1]
        while room < self.length + tokens:
            room *= 2
        if room == self.keys.shape[-1]:
            return
        more = room - self.keys.shape[-1]
        self.keys = np.pad(self.keys, ((0, 0), (0, 0), (0, 0), (0, more)))
        self.values = np.pad(self.values, ((0, 0), (0, 0), (0, more), (0, 0)))


Part = tuple[Cache, Sequence[int]]
"""A conversation's cache, and the tokens that come next in it."""


class Transformer:
    """A decoder of the Llama family; its output layer is its embedding."""

    def __init__(self, shape: Shape, weights: dict[str, NDArray[Any]]) -> None:
        self.shape = shape
        named = {name: array.astype(np.float32) for name, array in weights.items()}
        self._embedding = named["model.embed_tokens.weight"]
        rest = -len(self._embedding) % WIDTH
        output = np.pad(self._embedding, ((0, rest), (0, 0)))
        self._output = _inwards(output * named["model.norm.weight"])
        self._layers = [
            _make_layer(shape, f"model.layers.{number}", named)
            for number in range(shape.layers)
        ]
        self._rotations = _rotations(shape)

    @classmethod
    def load(cls, folder: Path) -> "Transformer":
        """The model in a folder of a `config.json` and a `model.safetensors`."""
        shape = Shape.load(folder / "config.json")
        return cls(shape, load_file(folder / "model.safetensors"))

    def make_cache(self) -> Cache:
        """The cache of a new conversation."""
        return Cache(self.shape)

    def forward(self, parts: Sequence[Part]) -> Floats:
        """Logits after the last token of each part, (parts, vocabulary).

        Each cache takes in its tokens; they must fit in the context.
        """
        tokens = [token for _, added in parts for token in added]
        places = [
            place
            for cache, added in parts
            for place in range(cache.length, cache.length + len(added))
        ]
        idle = -len(tokens) % ROWS
        tokens += tokens[-1:] * idle
        places += places[-1:] * idle
        for cache, added in parts:
            cache.make_room(len(added))
        rotation, x = self._rotations[places], self._embedding[tokens]
        with np.errstate(over="ignore"):  # a gate that is shut: 1 / (1 + inf)
            for number, layer in enumerate(self._layers):
                gathered = self._attended(number, layer, x, rotation, parts)
                x += _times(gathered, layer.join)
                x += self._transformed(layer, x)
        for cache, added in parts:
            cache.length += len(added)
        return self._logits(x, parts)

    def _attended(
        self,
        number: int,
        layer: _Layer,
        x: Floats,
        rotation: Floats,
        parts: Sequence[Part],
    ) -> Floats:
        """What attention gathers for each row, its heads side by side."""
        hidden, heads = self.shape.hidden, self.shape.heads
        made = _times(self._normed(x), layer.attend)
        both = made[:, : 4 * hidden].reshape(len(x), 2, 2 * heads, -1) * rotation
        turned = both[:, 0]
        turned += both[:, 1]
        queries = turned[:, :heads].transpose(1, 0, 2)
        keys = turned[:, heads:].transpose(1, 2, 0)
        values = made[:, 4 * hidden :].reshape(len(x), heads, -1).transpose(1, 0, 2)
        gathered = np.zeros((heads, len(x), self.shape.dimensions), np.float32)
        start = 0
        for cache, added in parts:
            end = start + len(added)
            old, new = cache.length, cache.length + len(added)
            all_keys, all_values = cache.keys[number], cache.values[number]
            all_keys[:, :, old:new] = keys[:, :, start:end]
            all_values[:, old:new] = values[:, start:end]
            gathered[:, start:end] = _attention(
                queries[:, start:end], all_keys[:, :, :new], all_values[:, :new]
            )
            start = end
        return gathered.transpose(1, 0, 2).reshape(len(x), hidden)

    def _transformed(self, layer: _Layer, x: Floats) -> Floats:
        """SwiGLU (Shazeer 2020); the gate comes negated, as does what leaves it."""
        wide = _times(self._normed(x), layer.widen)
        middle = wide.shape[1] // 2
        gate, up = wide[:, :middle], wide[:, middle:]
        up *= gate
        np.exp(gate, out=gate)
        gate += 1.0
        up /= gate
        return _times(up, layer.narrow)

    def _normed(self, x: Floats) -> Floats:
        """Root mean square norm (Zhang and Sennrich 2019), without its weights."""
        size = np.vecdot(x, x)
        size *= 1 / self.shape.hidden
        size += self.shape.epsilon
        normed: Floats = x / np.sqrt(size, out=size)[:, None]
        return normed

    def _logits(self, x: Floats, parts: Sequence[Part]) -> Floats:
        ends = np.cumsum([len(added) for _, added in parts]) - 1
        last = x[np.pad(ends, (0, -len(ends) % ROWS), mode="edge")]
        logits = _times(self._normed(last), self._output)
        return logits[: len(parts), : len(self._embedding)]


def _times(rows: Floats, matrix: Floats) -> Floats:
    """The product of a multiple of `ROWS` rows with a matrix."""
    blocks = rows.reshape(-1, ROWS, rows.shape[1])
    product: Floats = np.matmul(blocks, matrix).reshape(len(rows), -1)
    return product


def _attention(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """Values weighed by how queries meet keys; (heads, queries, dimensions).

    The queries are of the last tokens; each sees itself and what stands before it.
    """
    scores: Floats = np.matmul(queries, keys)
    count, total = scores.shape[1:]
    if count > 1:
        seen = np.tri(count, total, total - count, dtype=bool)
        scores[:, ~seen] = -np.inf
    # The ufuncs themselves: the arrays' methods take twice as long for so few numbers.
    scores -= np.maximum.reduce(scores, axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= np.add.reduce(scores, axis=2, keepdims=True)
    mixed: Floats = np.matmul(scores, values)
    return mixed


def _make_layer(shape: Shape, prefix: str, named: dict[str, Floats]) -> _Layer:
    def weight(name: str) -> Floats:
        return named[f"{prefix}.{name}.weight"]

    before, between = weight("input_layernorm"), weight("post_attention_layernorm")
    query = weight("self_attn.q_proj") * np.float32(shape.dimensions**-0.5)
    key, value = weight("self_attn.k_proj"), weight("self_attn.v_proj")
    across = [_quarter_turn(matrix, shape) for matrix in (query, key)]
    gates = [-weight("mlp.gate_proj"), weight("mlp.up_proj")]
    return _Layer(
        attend=_inwards(np.concatenate([query, key, *across, value]) * before),
        join=_inwards(weight("self_attn.o_proj")),
        widen=_inwards(np.concatenate(gates) * between),
        narrow=_inwards(-weight("mlp.down_proj")),
    )


def _quarter_turn(matrix: Floats, shape: Shape) -> Floats:
    """The matrix whose products are turned as the sines of rotary positions want."""
    heads = matrix.reshape(shape.heads, 2, shape.dimensions // 2, shape.hidden)
    turned: Floats = np.stack([-heads[:, 1], heads[:, 0]], axis=1)
    return turned.reshape(matrix.shape)


def _inwards(matrix: Floats) -> Floats:
    """(out, in) as (in, out), in that order in memory too."""
    return np.ascontiguousarray(matrix.T)


def _rotations(shape: Shape) -> Floats:
    """Cosines and sines of every place, (context, 2, 1, dimensions) (Su et al. 2021)."""
    rates = shape.theta ** (-np.arange(0, shape.dimensions, 2) / shape.dimensions)
    angles = np.tile(np.outer(np.arange(shape.context), rates), 2)
    turns = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return turns[:, :, None].astype(np.float32)
