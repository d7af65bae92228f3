"""From the weights that a LoRA file has for one layer to the branches that run beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from inference.diffusion.lora.layers import (
    BiasBranch,
    FullDeltaBranch,
    HadamardBranch,
    KroneckerBranch,
    LoraBranch,
    LowRankBranch,
    NormBranch,
    WeightBranch,
)
from inference.diffusion.lora.weight_transforms import (
    ButterflyBranch,
    DecomposedBranch,
    GeneralizedBranch,
    RotationBranch,
    ScalingBranch,
    cayley_rotations,
)

#: Gives the scale of so many ranks.
RankScale = Callable[[int], float]
#: Weights that are one number each, and settings rather than weights.
SCALAR_FIELDS = ("alpha", "scale", "scalar", "on_input")


class BranchWeights:
    """The weights of one layer by what they are there, and which of them a branch has used."""

    def __init__(self, fields: Mapping[str, Tensor], default_scale: RankScale) -> None:
        self._fields = fields
        self._default_scale = default_scale
        self.used_names = set(SCALAR_FIELDS) & set(fields)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def get_weight(self, name: str) -> Tensor:
        """Give a weight and note that it is used.

        Raises:
            KeyError: it is missing.
        """
        self.used_names.add(name)
        return self._fields[name]

    def find_weight(self, name: str) -> Tensor | None:
        """Give a weight, or None where there is none."""
        return self.get_weight(name) if name in self else None

    def find_number(self, name: str) -> float | None:
        """Give a number, or None where there is none."""
        return float(self._fields[name]) if name in self else None

    def scale_of(self, rank: int | None) -> float:
        """Give the scale of so many ranks, or of what has none."""
        scale, alpha = self.find_number("scale"), self.find_number("alpha")
        if scale is None:
            scale = 1.0
            if rank is not None:
                scale = self._default_scale(rank) if alpha is None else alpha / max(rank, 1)
        scalar = self.find_number("scalar")
        return scale if scalar is None else scale * scalar


def make_branches(weights: BranchWeights, layer: Any) -> tuple[LoraBranch, ...]:
    """Make every branch of which the weights are there.

    Raises:
        KeyError: a branch lacks a weight.
        RuntimeError: a branch does not fit the layer.
    """
    if layer.weight.ndim == 1:
        return tuple(_make_norm(weights))
    return (*_make_weight_branches(weights, layer.weight), *_make_biases(weights))


def _make_norm(weights: BranchWeights) -> Iterator[LoraBranch]:
    weight, bias = (
        next((weights.get_weight(name) for name in names if name in weights), None)
        for names in (("w_norm", "diff"), ("b_norm", "diff_b"))
    )
    if weight is not None or bias is not None:
        yield NormBranch(weight, bias)


def _make_biases(weights: BranchWeights) -> Iterator[LoraBranch]:
    if "diff_b" in weights:
        yield BiasBranch(weights.get_weight("diff_b"))
    if "up_bias" in weights and "down" in weights:
        scale = weights.scale_of(len(weights.get_weight("down")))
        yield BiasBranch(weights.get_weight("up_bias").float() * scale)


def _make_weight_branches(weights: BranchWeights, weight: Tensor) -> Iterator[WeightBranch]:
    additive_branches = list(_make_additive_branches(weights))
    if additive_branches:
        additive_branches[0] = _decompose(weights, additive_branches[0], weight)
    yield from additive_branches
    for name in ("oft_blocks", "oft_diag"):
        if name in weights:
            yield _make_rotation(weights, weights.get_weight(name))
    if "a1" in weights:
        a = (weights.get_weight("a1"), weights.get_weight("a2"))
        b = (weights.get_weight("b1"), weights.get_weight("b2"))
        yield GeneralizedBranch(a, b, weights.scale_of(min(a[0].shape[:2])))
    if "on_input" in weights:
        is_on_input = bool(weights.find_number("on_input"))
        yield ScalingBranch(weights.get_weight("weight").flatten(), is_on_input)


def _make_additive_branches(weights: BranchWeights) -> Iterator[WeightBranch]:
    if "down" in weights or "up" in weights:
        down, up = weights.get_weight("down"), weights.get_weight("up")
        yield LowRankBranch(down, up, weights.scale_of(len(down)), weights.find_weight("mid"))
    if "hada_w1_a" in weights:
        yield _make_hadamard(weights)
    if any(name in weights for name in ("lokr_w1", "lokr_w1_a")):
        yield _make_kronecker(weights)
    if "diff" in weights:
        yield FullDeltaBranch(weights.get_weight("diff"), weights.scale_of(None))


def _make_hadamard(weights: BranchWeights) -> HadamardBranch:
    cores = None
    if "hada_t1" in weights:
        cores = (weights.get_weight("hada_t1"), weights.get_weight("hada_t2"))
    first, second = (
        (weights.get_weight(f"{name}_a"), weights.get_weight(f"{name}_b"))
        for name in ("hada_w1", "hada_w2")
    )
    return HadamardBranch(first, second, weights.scale_of(len(first[1])), cores)


def _make_kronecker(weights: BranchWeights) -> KroneckerBranch:
    first, second = (
        (weights.get_weight(name),)
        if name in weights
        else (weights.get_weight(f"{name}_a"), weights.get_weight(f"{name}_b"))
        for name in ("lokr_w1", "lokr_w2")
    )
    ranks = [len(parts[1]) for parts in (second, first) if len(parts) == 2]
    # Where both are whole there is no rank to set alpha against.
    scale = weights.scale_of(ranks[0] if ranks else None)
    return KroneckerBranch(first, second, scale, weights.find_weight("lokr_t2"))


def _decompose(weights: BranchWeights, branch: WeightBranch, weight: Tensor) -> WeightBranch:
    """Take a branch apart as DoRA does, if the file says so."""
    if "magnitude" in weights:  # peft's: one number for each output
        return DecomposedBranch(branch, weights.get_weight("magnitude").flatten(), False)
    if "dora_scale" in weights:
        magnitude = weights.get_weight("dora_scale")
        is_on_input = len(magnitude) == 1 != len(weight)
        return DecomposedBranch(branch, magnitude.flatten(), is_on_input)
    return branch


def _make_rotation(weights: BranchWeights, blocks: Tensor) -> WeightBranch:
    # Of these methods alpha is the bound of COFT, for each output.
    outputs = blocks.shape[-3] * blocks.shape[-1]
    rotations = cayley_rotations(blocks, outputs * (weights.find_number("alpha") or 0.0))
    rescale = weights.find_weight("rescale")
    if rotations.ndim == 4:
        return ButterflyBranch(rotations, rescale)
    return RotationBranch(rotations, rescale)
