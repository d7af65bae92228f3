"""A denoising network compiled for calls of 1, 2, 4, 8 … entries; calls between those are padded.

A compiled network is made anew for every size of a call, which takes a minute on a processor, so
there are only a few. Only pictures of the model's own size with prompts of one chunk take part:
most are. All others run as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from inference.models.compiling import compiled


class Buckets:
    """The compiled side of one denoising network."""

    def __init__(
        self,
        unet: Any,
        *,
        cells: int,
        tokens: int,
        most: int,
        compile_: Callable[..., Callable[..., Any]] = compiled,
    ) -> None:
        """Take the network, the latent's side, the tokens of one chunk and the most entries."""
        self._unet = unet
        self._latent = (int(unet.config.in_channels), cells, cells)
        self._tokens = tokens
        #: Entries of a call that are compiled.
        self.sizes = [1]
        while self.sizes[-1] < most:
            self.sizes.append(2 * self.sizes[-1])
        self._fast = compile_(unet, *((size, *self._latent) for size in self.sizes))

    def __call__(
        self, inputs: Tensor, timestep: Tensor, text: Tensor, added: Mapping[str, Tensor] | None
    ) -> Tensor:
        """Run the network on [B, C, h, w] of its own number format; give [B, 4, h, w]."""
        count = len(inputs)
        size = next((size for size in self.sizes if size >= count), None)
        ours = tuple(inputs.shape[1:]) == self._latent and text.shape[1] == self._tokens
        if size is None or not ours:
            plain: Tensor = self._unet(inputs, timestep, text, added_cond_kwargs=added).sample
            return plain
        output: Tensor = self._fast(
            _padded(inputs, size),
            _padded(timestep, size),
            _padded(text, size),
            added_cond_kwargs=added and {key: _padded(each, size) for key, each in added.items()},
        ).sample
        return output[:count]


def _padded(values: Tensor, size: int) -> Tensor:
    """Repeat the last entry of [B, …] until there are `size`."""
    missing = size - len(values)
    if not missing:
        return values
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])
