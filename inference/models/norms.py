"""Group normalisation of narrow networks on a processor.

Torch normalises small maps whose channels lie last (`channels_last`) channel by channel within each
group unless a group fills its vectors: with two to twelve channels a group, as the starter's
network has, maps of 16 x 16 cells and fewer took 1.2 to 27 times as long in bfloat16 as turning
them to plain layout, normalising and turning back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm

#: Channels a group up to which, and cells of a map below which, torch is slow.
NARROW, SMALL = 12, 1024


class NarrowNorm(nn.GroupNorm):
    """Normalises small maps in plain layout and gives them back as they lay."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalise [B, C, …]."""
        last = torch.channels_last
        if values.dim() != 4 or values.shape[2] * values.shape[3] >= SMALL:
            return super().forward(values)
        if values.is_contiguous() or not values.is_contiguous(memory_format=last):
            return super().forward(values)
        plain = group_norm(values.contiguous(), self.num_groups, self.weight, self.bias, self.eps)
        return plain.contiguous(memory_format=last)


def narrow_norms(module: Any) -> None:
    """Let the narrow group norms of a network work so; its weights stay what they are."""
    for part in module.modules():
        if type(part) is nn.GroupNorm and part.num_channels <= NARROW * part.num_groups:
            part.__class__ = NarrowNorm
