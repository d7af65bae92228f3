"""The device side of one denoising task: its latent, its sampler and what it is conditioned on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.diffusion.lora.active import ActiveLoras
from inference.images.mask.soft_inpainting import SoftSettings, blend_latents
from inference.prompts.timeline import ConditioningInterval
from inference.sampling.samplers.core import Sampler

#: How far a sampler's level may lie from the plan's own and still be that step's.
LEVEL_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class RowControl:
    """A ControlNet that a row is held by."""

    network: str
    kind: str
    #: The map, [3, H, W] float32 in 0..1.
    pixels: Tensor
    strength: float
    #: Shares of the steps between which it acts.
    begin: float
    end: float

    def weigh_at(self, share: float) -> float:
        """Give how much of the network is added at a share of the steps."""
        return self.strength if self.begin <= share <= self.end else 0.0


@dataclass(eq=False)
class DenoiseRow:
    """One picture being denoised.

    `x` [C, h, w] float32 is what the network shall look at next, at noise level `sigma`.
    """

    sampler: Sampler
    x: Tensor
    sigma: float
    guidance: float
    conditioning: tuple[ConditioningInterval, ...]
    #: Whether its sampler is sent the unconditional clean latent beside the guided one.
    uses_unconditional: bool = False
    #: Whether the network's guidance was trained into it: no unconditional half is run.
    is_distilled: bool = False
    #: What a network that is told its guidance is told.
    told_guidance: float = 1.0
    #: How closely a network that edits by instructions keeps to its picture; None for others.
    image_guidance: float | None = None
    #: How far the guided prediction's spread goes back to the condition's, 0 to 1.
    guidance_rescale: float = 0.0
    #: Network calls made so far.
    calls: int = 0
    #: Where to change, [1, h, w] float32 in 0..1, and what stays elsewhere, [C, h, w].
    mask: Tensor | None = None
    original: Tensor | None = None
    #: Blend along the mask's grey, step by step; None cuts at the mask.
    soft: SoftSettings | None = None
    #: What the network sees besides, float32: to inpaint [C + 1, h, w], to edit [C, h, w].
    image_channels: Tensor | None = None
    #: Latents of further pictures that the network looks at, [C, h, w] float32 each.
    references: tuple[Tensor, ...] = ()
    #: Level from which on another checkpoint denoises; None where none is to, or does already.
    switch_sigma: float | None = None
    #: ControlNets that hold it, each as far as it says.
    controls: tuple[RowControl, ...] = ()
    #: The noise levels of its steps, downwards, by which it knows how far it is.
    levels: tuple[float, ...] = ()
    #: LoRAs to run beside the network; rows of one batch have the same.
    active_loras: ActiveLoras | None = None
    #: What the network last took for the clean picture, [C, h, w] float32.
    clean: Tensor | None = None
    #: The finished latent, [C, h, w] float32.
    latent: Tensor | None = None

    @property
    def is_guided(self) -> bool:
        """Whether the unconditional half is needed: at guidance 1 it cancels out.

        That is so of one part that weighs 1, unless the sampler looks at that half by itself; what
        else a prompt weighs is drawn as it says.
        """
        if self.is_distilled:
            return False
        if self.uses_unconditional or self.image_guidance is not None:
            return True
        weights = [weight for _, weight in self.conditioning[0].conditions]
        return self.guidance != 1.0 or weights != [1.0]

    @property
    def needs_refiner(self) -> bool:
        """Whether the call about to be made is the refiner's, which it is not yet ready for."""
        return self.switch_sigma is not None and self.sigma <= self.switch_sigma

    @property
    def entries(self) -> int:
        """Count its entries in a network call, the same in all of them."""
        has_image_half = self.image_guidance is not None
        return len(self.conditioning[0].conditions) + self.is_guided + has_image_half

    def list_controls(self) -> list[tuple[RowControl, float]]:
        """List the ControlNets that act in the call about to be made, each with its weight.

        A step's share of the way is its number, from 0, of all: the web UI's extension counts so.
        """
        steps_done = sum(level > self.sigma * (1 + LEVEL_TOLERANCE) for level in self.levels[:-1])
        share = steps_done / max(1, len(self.levels) - 1)
        weights = [(control, control.weigh_at(share)) for control in self.controls]
        return [(control, weight) for control, weight in weights if weight]

    def current_conditioning(self) -> ConditioningInterval:
        """Return the conditioning of the call about to be made; the first is call 0."""
        for entry in self.conditioning:
            if self.calls <= entry.until:
                return entry
        return self.conditioning[-1]

    def step_sampler(self, denoised: Tensor, unconditional: Tensor | None = None) -> bool:
        """Hand the clean latent x0 to the sampler; say whether it wants another call.

        x0 [C, h, w] is kept to the original outside the mask, as after every prediction; so is the
        unconditional one [C, h, w], which only some samplers are sent.
        """
        self.calls += 1
        self.clean = predictions = self._keep_unmasked(denoised)
        if self.uses_unconditional and unconditional is not None:
            predictions = torch.stack([self.clean, self._keep_unmasked(unconditional)])
        try:
            self.x, self.sigma = self.sampler.send(predictions)
        except StopIteration as finished:
            self.latent = finished.value if self.soft else self._keep_unmasked(finished.value)
            return False
        return True

    def _keep_unmasked(self, latent: Tensor) -> Tensor:
        if self.mask is None or self.original is None:
            return latent
        if self.soft is not None:
            return blend_latents(self.original, latent, self.mask[0], self.sigma, self.soft)
        return torch.lerp(self.original, latent, self.mask)
