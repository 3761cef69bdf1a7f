"""Muon for the matrices of the layers (Jordan 2024), AdamW for everything else."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MUON_RATE = 0.02
MUON_MOMENTUM = 0.95
ADAM_RATE = 3e-3
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Momentum, each matrix of which is made orthogonal before it is a step."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__(weights, {"lr": MUON_RATE})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Change the weights by their gradients."""
        for group in self.param_groups:
            same_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for weight in group["params"]:
                same_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in same_shape.items():
                steps = orthogonal(torch.stack([self._direction(w) for w in weights]))
                rate = -group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for weight, change in zip(weights, steps, strict=True):
                    weight.add_(change, alpha=rate)

    def _direction(self, weight: nn.Parameter) -> Tensor:
        """Nesterov's momentum."""
        gradient = weight.grad
        assert gradient is not None
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - MUON_MOMENTUM)
        return gradient.lerp(momentum, MUON_MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest (half-)orthogonal matrices, nearly, by Newton and Schulz's steps."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


def make_optimisers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """The two optimisers of a model."""
    inner: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in model.named_parameters():
        is_matrix = weight.dim() == 2 and name.startswith("layers.")
        (inner if is_matrix else others).append(weight)
    adam = torch.optim.AdamW(
        others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    return [Muon(inner), adam]
