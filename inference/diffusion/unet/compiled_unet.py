"""A denoising network compiled for calls of 1, 2, 4, 8 … entries; calls between those are padded.

A network is compiled anew for every size of a call, which takes a minute on a processor and more on
a busy one. So there are only a few sizes, each is compiled beside the work, and nobody waits.
Only pictures of the model's own size with prompts of one chunk take part: most are. All others run
as without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from inference.runtime.compiling import COMPILE_LOCK, compile_lazily, is_eager


class CompiledUnet:
    """The compiled side of one denoising network."""

    def __init__(
        self,
        unet: Any,
        *,
        cells: int,
        tokens: int,
        max_entries: int,
        compile_: Callable[..., Callable[..., Any]] = compile_lazily,
    ) -> None:
        """Take the network, the latent's side, the tokens of one chunk and the most entries."""
        self.network = unet
        self._latent = (int(unet.config.in_channels), cells, cells)
        self._tokens = tokens
        #: Entries of a call that are compiled.
        self.sizes = [1]
        while self.sizes[-1] < max_entries:
            self.sizes.append(2 * self.sizes[-1])
        #: Those that are compiled by now.
        self.ready: set[int] = set()
        self._fast = compile_(unet, *((size, *self._latent) for size in self.sizes))
        self._requested_sizes: set[int] = set()

    def __call__(
        self,
        inputs: Tensor,
        timestep: Tensor,
        text: Tensor,
        added_cond_kwargs: Mapping[str, Tensor] | None,
    ) -> Tensor:
        """Run the network on [B, C, h, w] of its own number format; give [B, 4, h, w]."""
        count = len(inputs)
        size = next((size for size in self.sizes if size >= count), None)
        ours = tuple(inputs.shape[1:]) == self._latent and text.shape[1] == self._tokens
        call = (inputs, timestep, text, added_cond_kwargs)
        if size is None or not ours or is_eager():
            return _call_network(self.network, call)
        padded_call = tree_map_only(Tensor, lambda values: _pad_batch(values, size), call)
        if size not in self.ready:
            self._request_compile(size, padded_call)
            return _call_network(self.network, call)
        return _call_network(self._fast, padded_call)[:count]

    def _request_compile(self, size: int, call: tuple[Any, ...]) -> None:
        """Have a size compiled beside the work, with a call like those to come."""
        if size in self._requested_sizes:
            return
        self._requested_sizes.add(size)
        cloned_call = tree_map_only(Tensor, torch.clone, call)
        threading.Thread(
            target=self._compile_size, args=(size, cloned_call), name="compile", daemon=True
        ).start()

    @torch.inference_mode()
    def _compile_size(self, size: int, call: tuple[Any, ...]) -> None:
        """Compile one size, in a thread that ends with it.

        A thread that has computed keeps helpers of its own; while there are more of them than
        cores, each operation waits for its helpers to wake.
        """
        with COMPILE_LOCK:
            _call_network(self._fast, call)
        self.ready.add(size)


def _call_network(network: Callable[..., Any], call: tuple[Any, ...]) -> Tensor:
    inputs, timestep, text, added_cond_kwargs = call
    output: Tensor = network(inputs, timestep, text, added_cond_kwargs=added_cond_kwargs).sample
    return output


def _pad_batch(values: Tensor, size: int) -> Tensor:
    """Repeat the last entry of [B, …] until there are `size`."""
    missing = size - len(values)
    if not missing:
        return values
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])
