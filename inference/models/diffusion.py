"""A latent diffusion checkpoint: text encoder, denoising network, autoencoder and noise table.

Conventions: pictures are 8-bit RGB; picture tensors [B, 3, H, W] in −1..1; latents [B, C, H/8, W/8]
in the network's own scale, float32; sigmas [B] in variance-exploding space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.models import striped_vae
from inference.models.approximation import LinearMap
from inference.models.buckets import Buckets
from inference.models.errors import BrokenOutput
from inference.models.lora.side import Side
from inference.models.striped_vae import Stripes
from inference.models.thrift import PARKED, UNET, VAE, Thrift
from inference.models.words import Words
from inference.sampling.denoiser import Prediction, scale_input, to_x0
from inference.sampling.table import NoiseTable

#: Pixels a latent cell stands for, in every family Easel runs.
CELL = 8


@dataclass(frozen=True)
class ModelTraits:
    """What answers say about a checkpoint; holding this holds no weights."""

    name: str
    #: Ten characters of SHA-256, as the field prints a model's hash.
    digest: str
    #: Whether the network takes the mask and the masked picture as further channels.
    inpainting: bool
    #: Gives a pair of prompts' LoRAs and embeddings with their hashes, under the field's keys.
    networks: Callable[[str, str], Mapping[str, str]] = field(
        default=lambda prompt, negative: {}, compare=False
    )


@dataclass(frozen=True, eq=False)
class DiffusionModel:
    """One loaded checkpoint on one device; its parts are never changed by a job."""

    name: str
    unet: Any
    vae: Any
    words: Words
    table: NoiseTable
    prediction: Prediction
    #: Side of the pictures it was trained on, in pixels.
    size: int
    #: Ten characters of SHA-256, as the field prints a model's hash.
    digest: str = ""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    #: How its latents look, where the checkpoint says so itself.
    rgb: LinearMap | None = None
    #: Where its parts lie while others work.
    thrift: Thrift = field(default_factory=Thrift)
    #: The denoising network compiled, where the host wants that.
    fast: Buckets | None = None

    @property
    def traits(self) -> ModelTraits:
        """What answers say about it."""
        return ModelTraits(self.name, self.digest, self.inpainting)

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.vae.config.latent_channels)

    @property
    def inpainting(self) -> bool:
        """Whether the network takes the mask and the masked picture as further channels."""
        return int(self.unet.config.in_channels) == 2 * self.latent_channels + 1

    @torch.inference_mode()
    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        extra: Tensor | None = None,
        pooled: Tensor | None = None,
        side: Side | None = None,
    ) -> Tensor:
        """Predict the clean latents x0 of rows at their own noise levels.

        Args:
            x: [B, C, h, w] float32, variance-exploding.
            sigma: [B] float32.
            text: [B, tokens, width] float32.
            extra: [B, C + 1, h, w] float32 for inpainting networks: mask and masked latent.
            pooled: [B, projection] float32, which SDXL looks at beside the tokens.
            side: LoRAs to run beside the network, the same for every row.
        """
        rung = self.thrift.use(UNET, len(x) * _area(x))
        timestep = torch.tensor(
            [self.table.sigma_to_t(level) for level in sigma.tolist()], device=self.device
        )
        scaled = scale_input(x, sigma)
        if extra is not None:
            scaled = torch.cat([scaled, extra], 1)
        added = None if pooled is None else self._added(x, pooled)
        call = (scaled.to(self.dtype), timestep, text.to(self.dtype))
        if self.fast is not None and side is None and not rung:
            output = self.fast(*call, added)
        else:
            with side.beside_unet(self.unet) if side else nullcontext():
                output = self.unet(*call, added_cond_kwargs=added).sample
        clean: Tensor = to_x0(output.float(), x, sigma, self.prediction)
        return clean

    def _added(self, x: Tensor, pooled: Tensor) -> dict[str, Tensor]:
        """Tell SDXL the size it paints: original and target the same, nothing cropped."""
        height, width = x.shape[-2] * CELL, x.shape[-1] * CELL
        sizes = torch.tensor([height, width, 0, 0, height, width], device=self.device)
        return {
            "text_embeds": pooled.to(self.dtype),
            "time_ids": sizes.to(self.dtype).expand(len(x), -1),
        }

    def encode(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Encode pictures of one size to latents.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        return self.encode_pixels(torch.stack([to_tensor(picture) for picture in pictures]))

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Encode picture tensors to latents, taking the posterior's mean.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        pixels = pixels.to(self.device)
        config = self.vae.config
        mean = self._checked(_encode, striped_vae.encode, pixels, len(pixels) * _area(pixels))
        latents: Tensor = (mean - (config.shift_factor or 0.0)) * config.scaling_factor
        return latents

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Decode latents to pictures.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        config = self.vae.config
        inputs = latents / config.scaling_factor + (config.shift_factor or 0.0)
        size = len(inputs) * _area(inputs) * CELL**2
        pixels = self._checked(_decode, striped_vae.decode, inputs, size)
        return [to_picture(row) for row in pixels]

    def _checked(
        self,
        whole: Callable[[Any, Tensor], Tensor],
        striped: Callable[[Any, Tensor, Stripes], Tensor],
        inputs: Tensor,
        size: int,
    ) -> Tensor:
        """Run the autoencoder, and once more in float32 when numbers overflow in less.

        It works whole or, as memory demands for so many pixels, in stripes.
        """
        rung = self.thrift.use(VAE, size)
        run = whole
        if rung and striped_vae.can_stripe(self.vae):
            park = self.thrift.park if rung == PARKED else self.device
            run = partial(_striped, striped, Stripes(self.device, park))
        output: Tensor = run(self.vae, inputs.to(self.dtype)).float()
        if torch.isfinite(output).all():
            return output
        if self.dtype is not torch.float32:
            self.vae.to(torch.float32)
            try:
                output = run(self.vae, inputs.float())
            finally:
                self.vae.to(self.dtype)
        if not torch.isfinite(output).all():
            raise BrokenOutput(
                "The autoencoder gave numbers that are no picture. Lower the guidance scale, or "
                "use another checkpoint."
            )
        return output


def _encode(vae: Any, pixels: Tensor) -> Tensor:
    mean: Tensor = vae.encode(pixels).latent_dist.mean
    return mean


def _decode(vae: Any, latents: Tensor) -> Tensor:
    pixels: Tensor = vae.decode(latents).sample
    return pixels


def _striped(
    run: Callable[[Any, Tensor, Stripes], Tensor], stripes: Stripes, vae: Any, values: Tensor
) -> Tensor:
    return run(vae, values, stripes)


def _area(values: Tensor) -> int:
    return values.shape[-2] * values.shape[-1]


def to_tensor(picture: Image.Image) -> Tensor:
    """Turn an RGB picture into [3, H, W] float32 in −1..1."""
    values = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(values / 127.5 - 1).permute(2, 0, 1)


def to_picture(pixels: Tensor) -> Image.Image:
    """Turn [3, H, W] in −1..1 into an RGB picture, clamped and rounded; NaN is mid-grey.

    Of float32 on the processor torch computes nothing, so any thread may call this: one that has
    computed with torch slows the engine's own for as long as it lives.
    """
    values = np.nan_to_num(pixels.float().cpu().numpy()).clip(-1, 1) * 127.5 + 127.5
    return Image.fromarray(values.round().astype(np.uint8).transpose(1, 2, 0))
