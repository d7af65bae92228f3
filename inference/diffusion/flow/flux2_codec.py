"""Latents of FLUX.2: those of its autoencoder, each cell of a patch normalised by itself."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from inference.diffusion.flow.networks import PATCH_CELLS
from inference.diffusion.model import LatentCodec


class Flux2Codec(LatentCodec):
    """FLUX.2's latents as cells.

    Its makers lay 2 x 2 cells of 32 channels side by side as 128 and normalise those. The same
    numbers belong to the cells where they lie, so rows, masks and noise stay in cells of 8 pixels.
    """

    def to_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents [B, C, h, w] of the autoencoder's scale to the network's."""
        mean, deviation = self._statistics(vae, latents)
        return (latents - mean) / deviation

    def from_network(self, vae: Any, latents: Tensor) -> Tensor:
        """Bring latents [B, C, h, w] of the network's scale back to the autoencoder's."""
        mean, deviation = self._statistics(vae, latents)
        return latents * deviation + mean

    def _statistics(self, vae: Any, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and deviation of every cell, [C, h, w] float32."""
        height, width = latents.shape[-2:]
        repeats = (1, height // PATCH_CELLS, width // PATCH_CELLS)
        variance = vae.bn.running_var.float() + vae.config.batch_norm_eps
        mean, deviation = (
            values.reshape(-1, PATCH_CELLS, PATCH_CELLS).repeat(repeats).to(latents.device)
            for values in (vae.bn.running_mean.float(), variance.sqrt())
        )
        return mean, deviation
