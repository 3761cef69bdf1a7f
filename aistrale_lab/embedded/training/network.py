"""The transformer in torch, for training only; parameters are named as Llama's."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPSILON = 1e-5
ROPE_THETA = 10_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model; a head has `hidden / heads` dimensions."""

    hidden: int
    layers: int
    heads: int
    intermediate: int


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(shape.hidden, shape.hidden, bias=False))

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Mix each position with those before it; (batch, length, hidden)."""
        batch, length, hidden = x.shape
        split = (batch, length, self.heads, hidden // self.heads)
        query, key, value = (
            project(x).view(split).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(
            rotated(query, rotation), rotated(key, rotation), value, is_causal=True
        )
        joined: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(x.shape))
        return joined


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position by itself."""
        made: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return made


class Layer(nn.Module):
    """Attention and MLP, each after a norm and beside a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """One layer of the model."""
        x = x + self.self_attn(self.input_layernorm(x), rotation)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """A decoder whose output layer is its embedding."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                near_end = name.endswith(("o_proj.weight", "down_proj.weight"))
                scale = (2 * shape.layers) ** -0.5 if near_end else 1.0
                nn.init.normal_(weight, std=shape.hidden**-0.5 * scale / 2)

    def forward(self, tokens: Tensor, at: Tensor) -> Tensor:
        """Logits at the chosen places of the flattened (batch, length) tokens."""
        x = self.embed_tokens(tokens)
        rotation = rotations(tokens.shape[1], self.shape.hidden // self.shape.heads)
        for layer in self.layers:
            x = layer(x, rotation)
        chosen = self.norm(x.flatten(0, 1)[at])
        logits: Tensor = F.linear(chosen, self.embed_tokens.weight)
        return logits


def rotations(length: int, dimensions: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position, (length, dimensions)."""
    rates = ROPE_THETA ** (-torch.arange(0, dimensions, 2) / dimensions)
    angles = torch.outer(torch.arange(length).float(), rates).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions (Su et al. 2021), in Llama's order of dimensions."""
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (x * cosines + turned * sines).to(x.dtype)
