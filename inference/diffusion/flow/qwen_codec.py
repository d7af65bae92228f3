"""Latents of Qwen-Image: one frame of its video autoencoder, each channel normalised by itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inference.diffusion.model import LatentCodec


class QwenCodec(LatentCodec):
    """Qwen-Image's latents; the frames that its autoencoder counts are always one."""

    def count_channels(self, vae: Any) -> int:
        """Count the channels of a latent."""
        return int(vae.config.z_dim)

    def encode(self, vae: Any, pixels: Tensor) -> Tensor:
        """Encode [B, 3, H, W] to the posterior's mean, [B, C, h, w] in the autoencoder's scale."""
        mean: Tensor = vae.encode(pixels[:, :, None]).latent_dist.mean[:, :, 0]
        return mean

    def decode(self, vae: Any, latents: Tensor) -> Tensor:
        """Decode [B, C, h, w] in the autoencoder's scale to [B, 3, H, W]."""
        pixels: Tensor = vae.decode(latents[:, :, None]).sample[:, :, 0]
        return pixels

    def to_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents [..., C, h, w] of the autoencoder's scale to the network's."""
        mean, deviation = self._statistics(vae, latents)
        return (latents - mean) / deviation

    def from_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents [..., C, h, w] of the network's scale back to the autoencoder's."""
        mean, deviation = self._statistics(vae, latents)
        return latents * deviation + mean

    def _statistics(self, vae: Any, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and deviation of each channel, [C, 1, 1]."""
        values = (vae.config.latents_mean, vae.config.latents_std)
        mean, deviation = (
            torch.tensor(numbers, dtype=latents.dtype, device=latents.device)[:, None, None]
            for numbers in values
        )
        return mean, deviation
