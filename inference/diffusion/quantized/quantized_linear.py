"""A linear layer whose weight lies in memory in fewer bits, and is written out for each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Writes a weight out of its bytes, in a format to compute with.
Decode = Callable[[Tensor, torch.dtype], Tensor]


class QuantizedLinear(nn.Linear):
    """A linear layer that holds its weight as bytes.

    What moves weights between memories moves bytes like any others; what asks for `weight`, as
    LoRAs do, is given the numbers. They stand only as long as somebody uses them.
    """

    def __init__(
        self, stored_weight: Tensor, bias: Tensor | None, decode: Decode, like: nn.Linear
    ) -> None:
        """Take the bytes (uint8), what writes them out, and the layer in whose place this is."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = like.in_features, like.out_features
        self.stored_weight = nn.Parameter(stored_weight, requires_grad=False)
        self.register_parameter(
            "bias", None if bias is None else nn.Parameter(bias, requires_grad=False)
        )
        self._decode = decode
        #: What it computes in where nobody says otherwise.
        self.dtype = like.weight.dtype

    @property
    def weight(self) -> Any:  # type: ignore[override]
        """The numbers [out, in], in the format that the layer computes in."""
        return self._decode(self.stored_weight, self.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Give weight·input + bias, in the input's format."""
        weight = self._decode(self.stored_weight, input.dtype)
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return functional.linear(input, weight, bias)


def replace_layer(network: nn.Module, place: str, layer: nn.Module) -> None:
    """Put a layer into a network in the place of the one with that name."""
    parent, _, name = place.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)
