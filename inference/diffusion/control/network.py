"""One loaded ControlNet, and what it adds to a denoising network's call.

Zhang et al., "Adding Conditional Control to Text-to-Image Diffusion Models", 2023. A network of
diffusers' `ControlNetModel` knows one kind of map, a `ControlNetUnionModel` several.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from inference.diffusion.control.kinds import union_kind
from inference.diffusion.offload import OffloadedModule
from inference.runtime.memory import weight_bytes


@dataclass(frozen=True, eq=False)
class UnetCall:
    """What a denoising network is called with, on its device and in its number format."""

    #: [N, C, h, w], and [N].
    latents: Tensor
    timestep: Tensor
    #: [N, tokens, width].
    text: Tensor
    added_cond_kwargs: dict[str, Tensor] | None


@dataclass(frozen=True, eq=False)
class ControlInput:
    """What one network looks at in some entries of a call."""

    network: str
    #: Which of its kinds of maps, where it knows several.
    kind: str
    #: [K] numbers of the entries, of their rows, and how much of the network is added to each; on
    #: the processor.
    entries: Tensor
    owners: Tensor
    weights: Tensor
    #: [K, 3, H, W] float32 in 0..1, on the device.
    pixels: Tensor

    def cut_range(self, begin: int, end: int) -> ControlInput | None:
        """Give what falls into a part of the call, numbered from there; None where nothing does."""
        is_inside = (self.entries >= begin) & (self.entries < end)
        if not is_inside.any():
            return None
        return replace(
            self,
            entries=self.entries[is_inside] - begin,
            owners=self.owners[is_inside],
            weights=self.weights[is_inside],
            pixels=self.pixels[is_inside.to(self.pixels.device)],
        )


#: What is added to a denoising network's own values: those of each skip connection [N, C, h, w],
#: and last the middle block's.
Residuals = Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class ControlNetwork:
    """One ControlNet on one device."""

    name: str
    module: Any
    #: The kinds of maps of a union, in its own order; of other networks none.
    union_kinds: tuple[str, ...] = ()
    #: Where its weights lie between calls, if memory is to be spared.
    offload: OffloadedModule | None = None

    def count_bytes(self) -> int:
        """Count the bytes of its weights."""
        return weight_bytes(self.module)

    def fits_unet(self, unet: Any) -> bool:
        """Whether what it adds has the shapes of a denoising network's own values."""
        settings = ("cross_attention_dim", "block_out_channels", "layers_per_block")
        return all(
            _as_plain(self.module.config[name]) == _as_plain(unet.config[name]) for name in settings
        )

    @torch.inference_mode()
    def predict_residuals(self, call: UnetCall, pixels: Tensor, kind: str) -> Residuals:
        """Predict what to add at full strength: for [K] entries, from maps [K, 3, H, W] in 0..1."""
        if self.offload is not None:
            self.offload.load_weights()
        try:
            return self._call_module(call, pixels.to(call.latents.dtype), kind)
        finally:
            if self.offload is not None:
                self.offload.unload_weights()

    def _call_module(self, call: UnetCall, pixels: Tensor, kind: str) -> Residuals:
        # Networks that inpaint are given the mask and picture behind the latents; these are not.
        latents = call.latents[:, : int(self.module.config.in_channels)]
        inputs: dict[str, Any] = {"added_cond_kwargs": call.added_cond_kwargs}
        if self.union_kinds:
            number = self.union_kinds.index(union_kind(kind, self.union_kinds) or kind)
            type_flags = torch.zeros(len(latents), len(self.union_kinds), device=latents.device)
            type_flags[:, number] = 1
            inputs |= {
                "controlnet_cond": [pixels],
                "control_type": type_flags.to(latents.dtype),
                "control_type_idx": [number],
            }
        else:
            inputs["controlnet_cond"] = pixels
        output = self.module(latents, call.timestep, call.text, **inputs)
        return [*output.down_block_res_samples, output.mid_block_res_sample]


def add_residuals(
    total: list[Tensor] | None, residuals: Residuals, control: ControlInput, entries: int
) -> list[Tensor]:
    """Add some entries' residuals, each by its weight, to those of a call of so many entries."""
    if total is None:
        total = [values.new_zeros(entries, *values.shape[1:]) for values in residuals]
    for total_values, values in zip(total, residuals, strict=True):
        weights = control.weights.to(values.device, values.dtype).reshape(-1, 1, 1, 1)
        total_values.index_add_(0, control.entries.to(values.device), values * weights)
    return total


def _as_plain(value: Any) -> Any:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
