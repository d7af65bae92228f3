"""Methods whose change depends on the weight that it changes: DoRA, OFT, BOFT, GLoRA, (IA)³."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.diffusion.lora.layers import WeightBranch

#: A norm of nothing would divide by zero.
MIN_NORM = 1e-12


@dataclass(frozen=True, eq=False)
class DecomposedBranch(WeightBranch):
    """DoRA: W' = m ⊙ (W + ΔW) / ‖W + ΔW‖ (Liu et al. 2024, equation 5).

    The norm and `magnitude` are one number for each output, or for each input.
    """

    branch: WeightBranch
    magnitude: Tensor
    is_on_input: bool

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give W' − W of a layer's weight [out, in, …], float32."""
        merged_weight = weight.float() + self.branch.weight_delta(weight)
        own_dim = 1 if self.is_on_input else 0
        other_dims = [dim for dim in range(weight.ndim) if dim != own_dim]
        norm = torch.linalg.vector_norm(merged_weight, dim=other_dims, keepdim=True).clamp_min(
            MIN_NORM
        )
        new_weight: Tensor = merged_weight * self.magnitude.float().reshape(norm.shape) / norm
        return new_weight - weight.float()

    def truncate_rank(self, rank: int) -> DecomposedBranch:
        """Keep only the first so many ranks of what is taken apart."""
        return replace(self, branch=self.branch.truncate_rank(rank))


@dataclass(frozen=True, eq=False)
class RotationBranch(WeightBranch):
    """OFT: W' = s ⊙ (Rᵀ·W), R of blocks along the diagonal (Qiu et al. 2023, section 4.2).

    `blocks` [count, size, size] are rotations of so many outputs each, `rescale` [out] or None.
    """

    blocks: Tensor
    rescale: Tensor | None = None

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give W' − W of a layer's weight [out, in, …], float32."""
        rows = weight.float().flatten(1)
        parts = rows.reshape(*self.blocks.shape[:2], -1)
        rotated_rows = torch.einsum("knm,kni->kmi", self.blocks, parts).flatten(0, 1)
        return (_rescale_rows(rotated_rows, self.rescale) - rows).reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class ButterflyBranch(WeightBranch):
    """BOFT: W' = s ⊙ (B_m … B_1·W), butterflies of rotations (Liu et al. 2023, section 4).

    `stages` [m, count, size, size]: the blocks of stage i rotate outputs 2^i · size/2 apart.
    """

    stages: Tensor
    rescale: Tensor | None = None

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give W' − W of a layer's weight [out, in, …], float32."""
        rows = rotated_rows = weight.float().flatten(1)
        size, columns = self.stages.shape[-1], rows.shape[1]
        for number, blocks in enumerate(self.stages):
            half = 2**number * size // 2
            paired_rows = rotated_rows.reshape(-1, 2, half, columns).transpose(1, 2)
            mixed_rows = torch.einsum(
                "kij,kjc->kic", blocks, paired_rows.reshape(-1, size, columns)
            )
            rotated_rows = (
                mixed_rows.reshape(-1, half, 2, columns).transpose(1, 2).reshape(-1, columns)
            )
        return (_rescale_rows(rotated_rows, self.rescale) - rows).reshape(weight.shape)


@dataclass(frozen=True, eq=False)
class GeneralizedBranch(WeightBranch):
    """GLoRA: ΔW = scale · (W·a1·a2 + b1·b2) (Chavan et al. 2023; LyCORIS).

    a1 [in, r], a2 [r, in], b1 [out, r], b2 [r, in, …]; older files have 1 and 2 exchanged.
    """

    a: tuple[Tensor, Tensor]
    b: tuple[Tensor, Tensor]
    scale: float

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], scale included, float32."""
        a1, a2, b1, b2 = (part.float().flatten(1) for part in (*self.a, *self.b))
        if len(b1) != len(weight):
            a1, a2, b1, b2 = a2, a1, b2, b1
        mixed_rows = torch.einsum("oi...,ir,rj->oj...", weight.float(), a1, a2)
        return self.scale * (mixed_rows + (b1 @ b2).reshape(weight.shape))


@dataclass(frozen=True, eq=False)
class ScalingBranch(WeightBranch):
    """(IA)³: ΔW = W ⊙ l, l [in] or [out] (Liu et al. 2022, section 3.3; LyCORIS)."""

    factors: Tensor
    is_on_input: bool

    def weight_delta(self, weight: Tensor) -> Tensor:
        """Give ΔW of a layer's weight [out, in, …], float32."""
        dim = 1 if self.is_on_input else 0
        shape = [size if number == dim else 1 for number, size in enumerate(weight.shape)]
        return weight.float() * self.factors.float().reshape(shape)


def cayley_rotations(blocks: Tensor, constraint: float) -> Tensor:
    """Make rotations (I + Q)(I − Q)⁻¹ of blocks […, n, n], with Q the skew-symmetric part.

    A `constraint` above 0 bounds the norm of all Q together (COFT).
    """
    skew = blocks.float() - blocks.float().transpose(-1, -2)
    if constraint > 0:
        norm = torch.linalg.vector_norm(skew).clamp_min(MIN_NORM)
        skew = skew * (constraint / norm).clamp_max(1)
    identity = torch.eye(blocks.shape[-1], device=blocks.device)
    rotations: Tensor = (identity + skew) @ torch.linalg.inv(identity - skew)
    return rotations


def _rescale_rows(rows: Tensor, rescale: Tensor | None) -> Tensor:
    return rows if rescale is None else rows * rescale.float().reshape(-1, 1)
