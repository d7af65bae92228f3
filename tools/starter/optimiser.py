"""Muon for the matrices, AdamW for the rest, as one optimiser.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") replaces a
weight's momentum by the nearest semi-orthogonal matrix, so that rare directions learn as fast as
common ones. The update is scaled to AdamW's usual size (Liu et al. 2025, "Muon is scalable for LLM
training", section 2.2), so that one learning rate serves both kinds of parameter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
BETAS = (0.9, 0.99)
EPSILON = 1e-8
UPDATE_SIZE = 0.2  # the root mean square of AdamW's updates, by measurement in Liu et al.
NEWTON_SCHULZ_STEPS = 5
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
SMALLEST_SIDE = 8  # a matrix thinner than this has few directions to even out


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return the matrix [R, C] with its singular values brought near 1, by Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrix.bfloat16()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    nearest: Tensor = (x if wide else x.T).to(matrix.dtype)
    return nearest


def is_matrix(parameter: Tensor) -> bool:
    """Tell whether a weight is a linear map or a convolution with enough rows and columns."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > SMALLEST_SIDE


class Muon(torch.optim.Optimizer):
    """Update matrices by orthogonalised momentum, and embeddings, biases and scales by AdamW.

    A group with "tables": True holds lookup tables, which AdamW updates whatever their shape.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"lr": 1e-3, "weight_decay": weight_decay, "tables": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Make one update from the gradients in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                matrix = is_matrix(parameter) and not group["tables"]
                update = self._muon(parameter) if matrix else self._adam(parameter)
                parameter.mul_(1 - group["lr"] * group["weight_decay"] * (parameter.ndim > 1))
                parameter.add_(update, alpha=-group["lr"])

    def _muon(self, parameter: nn.Parameter) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        momentum = state.setdefault("momentum", torch.zeros_like(parameter))
        momentum.lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)
        size = UPDATE_SIZE * max(matrix.shape) ** 0.5
        update: Tensor = size * orthogonalised(matrix)
        return update.view(parameter.shape)

    def _adam(self, parameter: nn.Parameter) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        step = state["step"] = state.get("step", torch.zeros(())) + 1
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        square = state.setdefault("square", torch.zeros_like(parameter))
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = (square / (1 - BETAS[1] ** step)).sqrt() + EPSILON
        update: Tensor = mean / (1 - BETAS[0] ** step) / root
        return update
