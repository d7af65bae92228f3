"""What a LoRA file adds to one layer: by formula, beside the layer, whose weight stays untouched.

A branch gives the change of a layer's output, without the strength that the prompt asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class LoraBranch(Protocol):
    """What is added to one layer."""

    def check_fit(self, weight: Tensor) -> None:
        """See that it fits a layer of this weight, by shapes alone.

        Raises:
            RuntimeError: it does not.
        """
        ...

    def output_delta(self, x: Tensor, layer: Any) -> Tensor:
        """Give the change of the layer's output, or what broadcasts to it."""
        ...

    def truncate_rank(self, rank: int) -> LoraBranch:
        """Keep only the first so many ranks, where there are ranks."""
        ...


#: Gives a layer's output, changed: takes its input, its output and the layer.
BoundBranch = Callable[[Tensor, Tensor, Any], Tensor]


def bind_branch(strength: float, branch: LoraBranch, like: Tensor) -> BoundBranch:
    """Make a branch ready to run at a strength beside its layer, for inputs like one."""
    if isinstance(branch, LowRankBranch):
        return branch.bind(strength, like)
    return lambda x, output, layer: output + strength * branch.output_delta(x, layer)


class WeightBranch:
    """A branch that stands for a change ΔW of the weight.

    ΔW is made anew for each call: its factors are small, the product is not.
    """

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        raise TypeError(f"{type(self).__name__} has no formula")

    def check_fit(self, weight: Tensor) -> None:
        """See that ΔW has the weight's shape.

        Raises:
            RuntimeError: it does not.
        """
        if self.weight_delta(weight).shape != weight.shape:
            raise RuntimeError(f"{type(self).__name__} does not fit {tuple(weight.shape)}")

    def output_delta(self, x: Tensor, layer: Any) -> Tensor:
        """Give ΔW·x."""
        delta = self.weight_delta(layer.weight).to(x)
        if isinstance(layer, nn.Conv2d):
            return _convolve_like(x, delta, layer)
        return functional.linear(x, delta)

    def truncate_rank(self, _rank: int) -> WeightBranch:
        """Keep everything: there are no ranks to count."""
        return self


@dataclass(frozen=True, eq=False)
class LowRankBranch(WeightBranch):
    """LoRA and LoCon: ΔW = scale · up · down, of rank r (Hu et al. 2021, section 4.1).

    `down` [r, in] or [r, in, k, k], `up` [out, r] or [out, r, 1, 1]; `mid` [r, r, k, k] stands
    between them in convolutions taken apart by Tucker (LyCORIS).
    """

    down: Tensor
    up: Tensor
    scale: float
    mid: Tensor | None = None

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        up, down = self.up.float().flatten(1), self.down.float()
        if self.mid is not None:
            product = torch.einsum("or,rskl,si->oikl", up, self.mid.float(), down.flatten(1))
        else:
            product = up @ down.flatten(1)
        return self.scale * product.reshape(weight.shape)

    def output_delta(self, x: Tensor, layer: Any) -> Tensor:
        """Give scale·up·down·x: two small products instead of a large one."""
        up, down = self.up.to(x), self.down.to(x)
        if isinstance(layer, nn.Conv2d):
            mid = None if self.mid is None else self.mid.to(x)
            return self.scale * replace(self, up=up, down=down, mid=mid).convolve(x, layer)
        return self.scale * functional.linear(functional.linear(x, down.flatten(1)), up.flatten(1))

    def bind(self, strength: float, like: Tensor) -> BoundBranch:
        """Cast the factors once, the strength and the scale in them: two or three launches a call.

        A linear layer's output takes the second product in the same launch.
        """
        up, down = (self.up.float() * (self.scale * strength)).to(like), self.down.to(like)
        mid = None if self.mid is None else self.mid.to(like)
        folded_branch = replace(self, up=up, down=down, scale=1.0, mid=mid)
        columns, rows = down.flatten(1), up.flatten(1).t()

        def add_products(x: Tensor, output: Tensor, layer: Any) -> Tensor:
            if isinstance(layer, nn.Conv2d):
                return output + folded_branch.convolve(x, layer)
            inner = functional.linear(x, columns).flatten(0, -2)
            return torch.addmm(output.flatten(0, -2), inner, rows).view(output.shape)

        return add_products

    def convolve(self, x: Tensor, layer: nn.Conv2d) -> Tensor:
        """Give up·down·x of a convolution, the factors being of the input's format."""
        if self.mid is None:
            inner = _convolve_like(
                x, self.down.reshape(len(self.down), -1, *layer.kernel_size), layer
            )
        else:
            inner = functional.conv2d(x, self.down.reshape(len(self.down), -1, 1, 1))
            inner = _convolve_like(inner, self.mid, layer)
        return functional.conv2d(inner, self.up.reshape(len(self.up), -1, 1, 1))

    def truncate_rank(self, rank: int) -> LowRankBranch:
        """Keep only the first so many ranks."""
        mid = None if self.mid is None else self.mid[:rank, :rank]
        return replace(self, down=self.down[:rank], up=self.up[:, :rank], mid=mid)


@dataclass(frozen=True, eq=False)
class HadamardBranch(WeightBranch):
    """LoHa: ΔW = scale · (a1·b1) ⊙ (a2·b2) (Hyeon-Woo et al. 2022, FedPara, proposition 1).

    a [out, r], b [r, in]; with cores t [r, r, k, k], a and b are [r, out] and [r, in].
    """

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    scale: float
    cores: tuple[Tensor, Tensor] | None = None

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        cores = self.cores or (None, None)
        first_product, second_product = (
            _tucker_product(*pair, core)
            for pair, core in zip((self.first, self.second), cores, strict=True)
        )
        return self.scale * (first_product * second_product).reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class KroneckerBranch(WeightBranch):
    """LoKr: ΔW = scale · w1 ⊗ w2, each whole or a product of two (Yeh et al. 2024, 3.3)."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    scale: float
    core: Tensor | None = None

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        first_factor, second_factor = (
            _build_factor(self.first),
            _build_factor(self.second, self.core),
        )
        if second_factor.ndim == 4:
            first_factor = first_factor.flatten(1)[..., None, None]
        return self.scale * torch.kron(
            first_factor.contiguous(), second_factor.contiguous()
        ).reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class FullDeltaBranch(WeightBranch):
    """A whole ΔW, as full fine-tunes are cut down to."""

    weight: Tensor
    scale: float = 1.0

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        return self.scale * self.weight.float().reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class BiasBranch:
    """A change of the bias, [out]."""

    bias: Tensor

    def check_fit(self, weight: Tensor) -> None:
        """See that there is one number for each output.

        Raises:
            RuntimeError: there is not.
        """
        self.bias.reshape(weight.shape[:1])

    def output_delta(self, x: Tensor, layer: Any) -> Tensor:
        """Give the change, [out], or [out, 1, 1] for a convolution."""
        bias = self.bias.to(x).flatten()
        return bias[:, None, None] if isinstance(layer, nn.Conv2d) else bias

    def truncate_rank(self, _rank: int) -> LoraBranch:
        """Keep everything: there are no ranks to count."""
        return self


@dataclass(frozen=True, eq=False)
class NormBranch:
    """Changes of a normalising layer's weight and bias, [channels] each (LyCORIS)."""

    weight: Tensor | None
    bias: Tensor | None

    def check_fit(self, weight: Tensor) -> None:
        """See that there is one number for each channel.

        Raises:
            RuntimeError: there is not.
        """
        for change in (self.weight, self.bias):
            if change is not None:
                change.reshape(weight.shape)

    def output_delta(self, x: Tensor, layer: Any) -> Tensor:
        """Normalise once more, with the changes in place of weight and bias."""
        weight, bias = (
            torch.zeros_like(layer.weight).to(x) if change is None else change.to(x).flatten()
            for change in (self.weight, self.bias)
        )
        if isinstance(layer, nn.GroupNorm):
            return functional.group_norm(x, layer.num_groups, weight, bias, layer.eps)
        return functional.layer_norm(x, layer.normalized_shape, weight, bias, layer.eps)

    def truncate_rank(self, _rank: int) -> LoraBranch:
        """Keep everything: there are no ranks to count."""
        return self


def _tucker_product(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    if core is None:
        return a.float() @ b.float().flatten(1)
    return torch.einsum("ijkl,jr,ip->prkl", core.float(), b.float(), a.float())


def _build_factor(parts: tuple[Tensor, ...], core: Tensor | None = None) -> Tensor:
    if len(parts) == 1:
        return parts[0].float()
    if core is not None:
        return _tucker_product(parts[0], parts[1], core)
    left_matrix, right_matrix = parts[0].float(), parts[1].float()
    return (left_matrix @ right_matrix.flatten(1)).reshape(
        len(left_matrix), *right_matrix.shape[1:]
    )


def _convolve_like(x: Tensor, weight: Tensor, layer: nn.Conv2d) -> Tensor:
    """Convolve as the layer does, with another weight and no bias."""
    return functional.conv2d(
        x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )
