"""Weights laid out once in the order in which a processor's kernels read them.

Torch's convolutions and linear maps on a processor (oneDNN) put weights into that order anew in
every call, which costs most where a call has little else to do. The packed order is chosen before
the shapes of the calls are known, and is the worse one for large networks: Stable Diffusion 1's
took 1.2 to 1.5 times as long. What comes out differs by rounding, if at all. The packed weights lie
beside the plain ones, which LoRAs, other number formats and counters of operations go on using.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from inference.models.compiling import is_plain
from inference.models.resident import weight_bytes

#: Bytes of weights up to which packing is known to gain: the starter's network has 33 MB.
SMALL = 64 * 2**20


class PackedConv(nn.Conv2d):
    """Convolves with packed weights; other number formats and counters meet the plain ones."""

    packed: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        if values.dtype is not self.packed.dtype or is_plain():
            return super().forward(values)
        output: Tensor = torch.ops.mkldnn._convolution_pointwise(
            values,
            self.packed,
            self.bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            "none",
            [],
            "",
        )
        return output


class PackedLinear(nn.Linear):
    """Multiplies with packed weights; other number formats and counters meet the plain ones."""

    packed: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        if values.dtype is not self.packed.dtype or is_plain():
            return super().forward(values)
        output: Tensor = torch.ops.mkldnn._linear_pointwise(
            values, self.packed, self.bias, "none", [], ""
        )
        return output


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this build of torch packs weights of a number format for this processor."""
    return (
        dtype is torch.bfloat16
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def gains(network: Any, dtype: torch.dtype) -> bool:
    """Whether a network is small enough to run faster packed."""
    return can_pack(dtype) and weight_bytes(network) <= SMALL


@torch.no_grad()
def pack(*networks: Any) -> None:
    """Pack the weights of networks on a processor, in place."""
    for part in _parts(networks):
        if type(part) is nn.Conv2d and not isinstance(part.padding, str):
            part.packed = torch.ops.mkldnn._reorder_convolution_weight(
                part.weight, part.padding, part.stride, part.dilation, part.groups, None
            )
            part.__class__ = PackedConv
        elif type(part) is nn.Linear:
            part.packed = torch.ops.mkldnn._reorder_linear_weight(part.weight, None)
            part.__class__ = PackedLinear


def packed_bytes(*networks: Any) -> int:
    """Count the bytes of packed weights, which lie beside the plain ones."""
    kinds = PackedConv, PackedLinear
    return sum(part.packed.nbytes for part in _parts(networks) if isinstance(part, kinds))


def _parts(networks: Iterable[Any]) -> Iterator[nn.Module]:
    return (part for network in networks for part in network.modules())
