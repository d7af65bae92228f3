"""A checkpoint: text encoder, denoising network, autoencoder and noise levels.

Conventions: pictures are 8-bit RGB; picture tensors [B, 3, H, W] in −1..1; latents [B, C, H/8, W/8]
in the network's own scale, float32; sigmas [B] in variance-exploding space. Families whose networks
look at patches of several cells cut them in the call: everywhere else latents lie in cells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.api.errors import EngineError
from inference.diffusion import striped_vae
from inference.diffusion.control.network import (
    ControlInput,
    ControlNetwork,
    Residuals,
    UnetCall,
)
from inference.diffusion.flow.text_side import LanguageEncoders
from inference.diffusion.latent_preview import LinearMap
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.offload import LEVEL_PARKED, UNET, VAE, OffloadManager
from inference.diffusion.striped_vae import StripedVae
from inference.diffusion.text_encoders import TextEncoders
from inference.diffusion.unet.compiled_unet import CompiledUnet
from inference.model_files.errors import BrokenOutput
from inference.model_files.pipelines.flow_families import GuidanceKind
from inference.runtime.transfer import send_numbers, send_tensor
from inference.sampling.denoiser import Prediction, deviate_input, to_x0
from inference.sampling.noise_table import NoiseTable

#: Pixels a latent cell stands for, in every family Easel runs.
PIXELS_PER_CELL = 8
#: Side of the latent that is decoded before a worker takes jobs, in cells.
TRIAL_CELLS = 8


@dataclass(frozen=True)
class ModelTraits:
    """What answers say about a checkpoint; holding this holds no weights."""

    name: str
    #: Ten characters of SHA-256, as the field prints a model's hash.
    digest: str
    #: Whether the network takes the mask and the masked picture as further channels.
    is_inpainting: bool
    #: Gives a pair of prompts' LoRAs and embeddings with their hashes, under the field's keys.
    networks: Callable[[str, str], Mapping[str, str]] = field(
        default=lambda prompt, negative: {}, compare=False
    )
    #: Whether the network takes a picture as further channels, to edit it by instructions.
    is_instructed: bool = False


class LatentCodec:
    """How latents of the network's scale come from an autoencoder's and back: AutoencoderKL's."""

    def count_channels(self, vae: Any) -> int:
        """Count the channels of a latent."""
        return int(vae.config.latent_channels)

    def encode(self, vae: Any, pixels: Tensor) -> Tensor:
        """Encode [B, 3, H, W] to the posterior's mean, [B, C, h, w] in the autoencoder's scale."""
        mean: Tensor = vae.encode(pixels).latent_dist.mean
        return mean

    def decode(self, vae: Any, latents: Tensor) -> Tensor:
        """Decode [B, C, h, w] in the autoencoder's scale to [B, 3, H, W]."""
        pixels: Tensor = vae.decode(latents).sample
        return pixels

    def to_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents of the autoencoder's scale to the network's."""
        config = vae.config
        values: Tensor = (latents - (config.shift_factor or 0.0)) * config.scaling_factor
        return values

    def from_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents of the network's scale back to the autoencoder's."""
        config = vae.config
        values: Tensor = latents / config.scaling_factor + (config.shift_factor or 0.0)
        return values


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentModel(ABC):
    """One loaded checkpoint on one device; its parts are never changed by a job."""

    name: str
    vae: Any
    text_encoders: TextEncoders | LanguageEncoders
    table: NoiseTable
    prediction: Prediction
    #: Side of the pictures it was trained on, in pixels.
    size: int
    #: Ten characters of SHA-256, as the field prints a model's hash.
    digest: str = ""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    #: Is told when the autoencoder overflowed in its format and stays in float32 from then on.
    on_overflow: Callable[[], None] = lambda: None
    #: How its latents look, where the checkpoint says so itself.
    rgb: LinearMap | None = None
    #: Where its parts lie while others work.
    offload: OffloadManager = field(default_factory=OffloadManager)
    #: How its latents come from its autoencoder's.
    codec: LatentCodec = field(default_factory=LatentCodec)

    @property
    @abstractmethod
    def network(self) -> Any:
        """The denoising network."""

    @property
    def guidance_kind(self) -> GuidanceKind:
        """How its guidance works."""
        return "cfg"

    def tell_guidance(self, guidance: float) -> float:
        """Give what a network that is told its guidance is told for a job's own."""
        return guidance

    def count_key_tokens(self, lengths: Sequence[int]) -> int:
        """Give the tokens by which texts of these lengths share calls with others."""
        return max(lengths)

    @property
    def max_references(self) -> int:
        """The most pictures that it looks at while it paints one by an instruction."""
        return 0

    @property
    def keeps_lengths(self) -> bool:
        """Whether a guided patch has the length of its condition's."""
        return False

    @property
    def is_refiner(self) -> bool:
        """Whether it only goes on from SDXL's pictures, at low noise."""
        return False

    @property
    def fast(self) -> CompiledUnet | None:
        """The denoising network compiled, where the host wants that."""
        return None

    def noise_table(self, width: int, height: int) -> NoiseTable:
        """Give the noise levels for pictures of a size in pixels."""
        return self.table

    @property
    def model_traits(self) -> ModelTraits:
        """What answers say about it."""
        return ModelTraits(
            self.name, self.digest, self.is_inpainting, is_instructed=self.is_instructed
        )

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.codec.count_channels(self.vae)

    @property
    def is_instructed(self) -> bool:
        """Whether the network takes a picture as further channels, to edit it by instructions."""
        return False

    @property
    def is_inpainting(self) -> bool:
        """Whether the network takes the mask and the masked picture as further channels."""
        return False

    @abstractmethod
    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        image_channels: Tensor | None = None,
        pooled_embeds: Tensor | None = None,
        active_loras: ActiveLoras | None = None,
        text_lengths: Sequence[int] | None = None,
        guidance: Tensor | None = None,
        references: Sequence[Tensor] = (),
        residuals: Residuals | None = None,
    ) -> Tensor:
        """Predict the clean latents x0 of rows at their own noise levels.

        Args:
            x: [B, C, h, w] float32, variance-exploding.
            sigma: [B] float32, in the machine's memory.
            text: [B, tokens, width] float32.
            image_channels: [B, C + 1, h, w] float32 for inpainting networks: mask and
                masked latent. [B, C, h, w] for those that edit: the picture's, or 0.
            pooled_embeds: [B, projection] float32, which SDXL looks at beside the tokens; its
                refiner [B, projection + 1], with the aesthetic score at the end.
            active_loras: LoRAs to run beside the network, the same for every row.
            text_lengths: tokens of each row that are no padding, for networks that ask.
            guidance: [B] float32, for networks that are told it.
            references: [B, C, h, w] float32 of each further picture to look at, of any size.
            residuals: what ControlNets add to the network's own values.
        """

    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Encode pictures of one size to latents.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        arrays = [np.asarray(image.convert("RGB")) for image in images]
        levels = torch.from_numpy(np.stack(arrays)).to(self.device).permute(0, 3, 1, 2)
        pixels = levels.to(torch.float32, memory_format=torch.contiguous_format)
        return self.encode_pixels(pixels.div_(127.5).sub_(1))

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Encode picture tensors to latents, taking the posterior's mean.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        pixels = pixels.to(self.device)
        mean = self._run_autoencoder(
            self.codec.encode,
            striped_vae.encode_striped,
            pixels,
            len(pixels) * _spatial_area(pixels),
        )
        return self.codec.to_network(self.vae, mean)

    def unscale_latents(self, latents: Tensor) -> Tensor:
        """Bring latents of the network's own scale back to the autoencoder's, of any shape."""
        return self.codec.from_network(self.vae, latents)

    @torch.inference_mode()
    def decode_latents(self, latents: Tensor) -> list[Image.Image]:
        """Decode latents to pictures.

        Raises:
            BrokenOutput: the autoencoder gave NaN, in float32 too.
        """
        inputs = self.unscale_latents(latents)
        size = len(inputs) * _spatial_area(inputs) * PIXELS_PER_CELL**2
        pixels = self._run_autoencoder(self.codec.decode, striped_vae.decode_striped, inputs, size)
        levels = pixels.clamp(-1, 1).mul_(127.5).add_(127.5).round_().to(torch.uint8)
        arrays = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return [Image.fromarray(array) for array in arrays]

    def try_decoding(self) -> None:
        """Decode the smallest of pictures, so that a device that cannot is known before any job.

        Raises:
            EngineError: it cannot; the message names it.
        """
        latents = torch.zeros(1, self.latent_channels, TRIAL_CELLS, TRIAL_CELLS, device=self.device)
        try:
            self.decode_latents(latents)
        except Exception as error:
            values = {"device": str(self.device), "name": self.name}
            raise EngineError("worker.decode_fails", **values, error=error) from error

    def _run_autoencoder(
        self,
        run_whole: Callable[[Any, Tensor], Tensor],
        run_striped: Callable[..., Tensor],
        inputs: Tensor,
        size: int,
    ) -> Tensor:
        """Run the autoencoder, and from then on in float32 when numbers overflow in less.

        It works whole or, as memory demands for so many pixels, in stripes.
        """
        memory_level = self.offload.prepare_part(VAE, size)
        run = run_whole
        if memory_level and striped_vae.can_stripe(self.vae):
            offload_device = (
                self.offload.offload_device if memory_level == LEVEL_PARKED else self.device
            )
            run = partial(run_striped, stripes=StripedVae(self.device, offload_device))
        dtype = self.vae.dtype
        output: Tensor = run(self.vae, inputs.to(dtype)).float()
        if _is_finite(output):
            return output
        if dtype is not torch.float32:
            self._set_autoencoder_dtype(torch.float32)
            output = run(self.vae, inputs.float())
            if _is_finite(output):
                self.on_overflow()
                return output
            self._set_autoencoder_dtype(dtype)
        raise BrokenOutput("model.broken_autoencoder")

    def _set_autoencoder_dtype(self, dtype: torch.dtype) -> None:
        # Not by diffusers' own `to`, which warns of what is meant here.
        torch.nn.Module.to(self.vae, dtype)
        self.offload.forget_parked(VAE)


@dataclass(frozen=True, eq=False, kw_only=True)
class DiffusionModel(LatentModel):
    """A checkpoint of Stable Diffusion 1, 2 or XL."""

    unet: Any
    #: Whether it only goes on from SDXL's pictures, at low noise.
    is_refiner: bool = False
    #: The denoising network compiled, where the host wants that.
    fast: CompiledUnet | None = None

    @property
    def network(self) -> Any:
        """The denoising network."""
        return self.unet

    @property
    def is_instructed(self) -> bool:
        """Whether the network takes a picture as further channels, to edit it by instructions."""
        return int(self.unet.config.in_channels) == 2 * self.latent_channels

    @property
    def is_inpainting(self) -> bool:
        """Whether the network takes the mask and the masked picture as further channels."""
        return int(self.unet.config.in_channels) == 2 * self.latent_channels + 1

    @torch.inference_mode()
    def denoise(
        self,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        image_channels: Tensor | None = None,
        pooled_embeds: Tensor | None = None,
        active_loras: ActiveLoras | None = None,
        text_lengths: Sequence[int] | None = None,
        guidance: Tensor | None = None,
        references: Sequence[Tensor] = (),
        residuals: Residuals | None = None,
    ) -> Tensor:
        """Predict the clean latents x0 of rows at their own noise levels."""
        memory_level = self.offload.prepare_part(UNET, len(x) * _spatial_area(x))
        sigma, inputs = self._unet_call(x, sigma, text, image_channels, pooled_embeds)
        call = (inputs.latents, inputs.timestep, inputs.text)
        added_cond_kwargs = inputs.added_cond_kwargs
        is_plain = active_loras is None and residuals is None and not memory_level
        if self.fast is not None and is_plain:
            output = self.fast(*call, added_cond_kwargs)
        else:
            added_values: dict[str, Any] = {}
            if residuals is not None:
                added_values["down_block_additional_residuals"] = tuple(residuals[:-1])
                added_values["mid_block_additional_residual"] = residuals[-1]
            with active_loras.applied_to_unet(self.unet) if active_loras else nullcontext():
                output = self.unet(
                    *call, added_cond_kwargs=added_cond_kwargs, **added_values
                ).sample
        clean: Tensor = to_x0(output.float(), x, sigma, self.prediction)
        return clean

    @torch.inference_mode()
    def predict_residuals(
        self,
        network: ControlNetwork,
        control: ControlInput,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        pooled_embeds: Tensor | None,
    ) -> Residuals:
        """Have a ControlNet say what to add to some entries of a call, as `denoise` is told it."""
        entries = control.entries
        places = entries.to(x.device)
        pooled_embeds = None if pooled_embeds is None else pooled_embeds[places]
        _, call = self._unet_call(x[places], sigma[entries], text[places], None, pooled_embeds)
        return network.predict_residuals(call, control.pixels, control.kind)

    def _unet_call(
        self,
        x: Tensor,
        sigma: Tensor,
        text: Tensor,
        image_channels: Tensor | None,
        pooled_embeds: Tensor | None,
    ) -> tuple[Tensor, UnetCall]:
        """Give the noise levels on the device, and the network's inputs in its number format."""
        steps = torch.tensor([self.table.sigma_to_t(level) for level in sigma.tolist()])
        # One copy in, of numbers that were Python's.
        numbers = torch.stack([sigma.cpu(), steps, deviate_input(sigma.cpu())])
        sigma, timestep, deviation = send_tensor(numbers, self.device)
        model_input = x / deviation.reshape(-1, 1, 1, 1)
        if image_channels is not None:
            model_input = torch.cat([model_input, image_channels], 1)
        added_cond_kwargs = (
            None if pooled_embeds is None else self._added_cond_kwargs(x, pooled_embeds)
        )
        latents, words = model_input.to(self.dtype), text.to(self.dtype)
        return sigma, UnetCall(latents, timestep, words, added_cond_kwargs)

    def _added_cond_kwargs(self, x: Tensor, pooled_embeds: Tensor) -> dict[str, Tensor]:
        """Tell SDXL the size it paints: original and target the same, nothing cropped.

        Its refiner is told how fine the picture is to be instead of the target.
        """
        height, width = x.shape[-2] * PIXELS_PER_CELL, x.shape[-1] * PIXELS_PER_CELL
        sizes = send_numbers([height, width, 0, 0, height, width], self.device)
        time_ids = sizes.expand(len(x), -1)
        if self.is_refiner:
            time_ids = torch.cat([time_ids[:, :4], pooled_embeds[:, -1:]], 1)
            pooled_embeds = pooled_embeds[:, :-1]
        return {"text_embeds": pooled_embeds.to(self.dtype), "time_ids": time_ids.to(self.dtype)}


def _spatial_area(values: Tensor) -> int:
    return values.shape[-2] * values.shape[-1]


def _is_finite(values: Tensor) -> bool:
    """Whether there is neither NaN nor infinity, in one pass and one wait."""
    lowest_value, highest_value = torch.aminmax(values)
    return bool(torch.isfinite(highest_value - lowest_value))


def to_tensor(image: Image.Image) -> Tensor:
    """Turn an RGB picture into [3, H, W] float32 in −1..1."""
    values = np.asarray(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(values / 127.5 - 1).permute(2, 0, 1)


def to_image(pixels: Tensor) -> Image.Image:
    """Turn [3, H, W] in −1..1 into an RGB picture, clamped and rounded; NaN is mid-grey.

    Of float32 on the processor torch computes nothing, so any thread may call this: one that has
    computed with torch slows the engine's own for as long as it lives.
    """
    values = np.nan_to_num(pixels.float().cpu().numpy()).clip(-1, 1) * 127.5 + 127.5
    return Image.fromarray(values.round().astype(np.uint8).transpose(1, 2, 0))
