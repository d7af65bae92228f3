"""LDSR: a picture made four times as large by denoising, from a folder in diffusers' layout.

The networks and the arithmetic are those of diffusers' LDMSuperResolutionPipeline: the latent has
the small picture's own size, that picture lies beside it at every step, and the decoder enlarges.
Source: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel, VQModel
from torch import Tensor

from inference.model_files.errors import BrokenOutput, CorruptWeights, MissingWeights, ModelError
from inference.model_files.header import read_header
from inference.model_files.inspection import describe_error
from inference.model_files.json_files import read_json_object
from inference.runtime.memory import weight_bytes
from inference.runtime.precision import choose_dtype
from inference.upscaling.tiling.plan import NetworkTraits
from inference.upscaling.tiling.tiles import TileWork

LDSR_PIPELINE_CLASS = "LDMSuperResolutionPipeline"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
PART_CLASSES = {"unet": UNet2DModel, "vqvae": VQModel}
#: Pixels a side that a tile adds: the denoiser of others waits for all of its steps.
TILE_PIXELS = 64
OVERLAP_PIXELS = 16  # pixels of context around it
DENOISING_STEPS = 50
NOISE_SEED = 0


@dataclass(frozen=True, eq=False)
class LatentUpscaler:
    """One LDSR on one device, ready for tiles."""

    unet: Any
    vqvae: Any
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    scale: int
    steps: int = DENOISING_STEPS

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return weight_bytes(self.unet, self.vqvae)

    def network_traits(self, key: str) -> NetworkTraits:
        """Tell a plan what it must know, under the key by which the network is found again."""
        return NetworkTraits(key, self.scale, TILE_PIXELS, OVERLAP_PIXELS, exact=False)

    def process_tiles(self, works: Sequence[TileWork]) -> list[Tensor]:
        """Enlarge tiles of one shape in one call.

        Raises:
            BrokenOutput: the networks gave NaN or infinity in float32 too.
        """
        return list(self.enlarge_tiles(torch.stack([tile_work.tile for tile_work in works])))

    @torch.inference_mode()
    def enlarge_tiles(self, tiles: Tensor) -> Tensor:
        """Take [B, 3, h, w], return [B, 3, h·scale, w·scale], both float32 in 0..1.

        Every tile starts from the same noise, so that neighbours agree where they overlap.

        Raises:
            BrokenOutput: the networks gave NaN or infinity in float32 too.
        """
        output = self._denoise_tiles(tiles, self.dtype)
        if self.dtype is not torch.float32 and not bool(torch.isfinite(output).all()):
            for part in (self.unet, self.vqvae):
                part.float()
            output = self._denoise_tiles(tiles, torch.float32)
            for part in (self.unet, self.vqvae):
                part.to(self.dtype)
        if not bool(torch.isfinite(output).all()):
            raise BrokenOutput("model.broken_upscaler")
        return output

    def _denoise_tiles(self, tiles: Tensor, dtype: torch.dtype) -> Tensor:
        small = (tiles * 2 - 1).to(self.device, dtype)
        noise = torch.randn(
            1, *small.shape[1:], generator=torch.Generator().manual_seed(NOISE_SEED)
        )
        latent = noise.to(self.device, dtype).repeat(len(small), 1, 1, 1)
        self.scheduler.set_timesteps(self.steps)
        for moment in self.scheduler.timesteps:
            guess = self.unet(torch.cat([latent, small], dim=1), moment).sample
            latent = self.scheduler.step(guess, moment, latent).prev_sample
        large: Tensor = self.vqvae.decode(latent).sample
        return (large.float().clamp(-1, 1) + 1) / 2


def is_latent_upscaler(folder: Path) -> bool:
    """Tell by its index whether a folder holds an LDSR."""
    try:
        index = read_json_object(folder / "model_index.json")
    except ModelError:
        return False
    return index.get("_class_name") == LDSR_PIPELINE_CLASS


def check_latent_upscaler(folder: Path) -> None:
    """See by its settings and headers that an LDSR can be loaded.

    Raises:
        MissingWeights: a file is not there.
        CorruptWeights: one is of no use.
    """
    for file in weight_files(folder):
        read_header(file)
        read_json_object(file.parent / "config.json", folders=2)
    read_json_object(folder / "scheduler" / "scheduler_config.json", folders=2)


def weight_files(folder: Path) -> list[Path]:
    """List the weight files of an LDSR's folder.

    Raises:
        MissingWeights: one of them is not there, or only as a pickle.
    """
    files = [folder / part / WEIGHTS_FILE for part in PART_CLASSES]
    for file in files:
        if not file.is_file():
            missing_file = f"{file.parent.name}/{WEIGHTS_FILE}"
            raise MissingWeights("weights.lacks_file", folder=folder.name, file=missing_file)
    return files


def load_latent_upscaler(
    folder: Path, device: torch.device, dtype: torch.dtype | None = None
) -> LatentUpscaler:
    """Load an LDSR from its folder; without a `dtype` in the format that the device is fast in.

    Raises:
        MissingWeights: some of its files are not there.
        CorruptWeights: they cannot be read.
    """
    check_latent_upscaler(folder)
    weights_dtype = dtype or choose_dtype("auto", device)
    try:
        unet, vqvae = (
            kind.from_pretrained(
                str(folder / part),
                torch_dtype=weights_dtype,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,
            )
            for part, kind in PART_CLASSES.items()
        )
        # DDIM, whatever the folder names: it adds no noise of its own, so tiles stay comparable.
        scheduler = DDIMScheduler.from_pretrained(
            str(folder), subfolder="scheduler", local_files_only=True
        )
    except Exception as error:  # settings can be wrong in ways that the library never foresaw
        reason = describe_error(error)
        raise CorruptWeights("weights.unreadable", name=folder.name, error=reason) from error
    for part in (unet, vqvae):
        part.to(device).requires_grad_(False).eval()
    scale = 2 ** (len(vqvae.config.block_out_channels) - 1)
    return LatentUpscaler(unet, vqvae, scheduler, device, weights_dtype, scale)
