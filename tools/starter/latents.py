"""Encode captioned scenes once, so that the diffusion model trains without the autoencoder.

Run: python -m tools.starter.latents --vae data/starter/vae/normalised --pictures 20000
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor

from tools.starter.captions import spoken
from tools.starter.data import load
from tools.starter.scenes import Chances, scenes, stacked

BATCH = 32
CHANCES = Chances(recoloured=0.08, pair=0.05)


@dataclass(frozen=True)
class LatentSet:
    """Encoded scenes: latents float16 [N, 4, 16, 16], scaled as the UNet takes them, and labels.

    labels: (name, style, background colour), one a scene.
    """

    latents: Tensor
    labels: list[tuple[str, str, str]]

    def batch(self, size: int, choice: np.random.Generator) -> tuple[Tensor, list[str]]:
        """Return float32 latents [size, 4, 16, 16] and a caption for each."""
        rows = choice.integers(0, len(self.labels), size)
        captions = [spoken(choice, *self.labels[row]) for row in rows]
        return self.latents[torch.from_numpy(rows)].float(), captions


@torch.no_grad()
def encoded(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Return the scaled mean latents, float32 [B, 4, H/8, W/8], of pictures in -1 to 1."""
    images = images.to(vae.device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(vae.device.type, torch.bfloat16):
        mean = vae.encode(images).latent_dist.mean
    latents: Tensor = mean.float().cpu() * vae.config.scaling_factor
    return latents


def encoded_all(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Return encoded() of any number of pictures, a few at a time."""
    return torch.cat([encoded(vae, images[i : i + BATCH]) for i in range(0, len(images), BATCH)])


def row_order(
    rows: npt.NDArray[np.int64], count: int, choice: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return count rows in which every row comes equally often, give or take one, shuffled."""
    times = -(-count // len(rows))
    return np.concatenate([choice.permutation(rows) for _ in range(times)])[:count]


def load_latents(path: Path) -> LatentSet:
    """Read the latents and labels that main() wrote."""
    labels = json.loads((path / "latents.json").read_text())
    return LatentSet(
        load_file(path / "latents.safetensors")["latents"], [tuple(label) for label in labels]
    )


def main(arguments: list[str] | None = None) -> None:
    """Encode from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    parser.add_argument("--vae", type=Path, default=Path("data/starter/vae/normalised"))
    parser.add_argument("--out", type=Path, default=Path("data/starter/latents"))
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    dataset = load(options.data)
    rows = dataset.training_rows(concepts_only=True)
    vae = AutoencoderKL.from_pretrained(options.vae).float().eval()
    vae = vae.to(memory_format=torch.channels_last)
    choice = np.random.default_rng(options.seed)
    latents: list[Tensor] = []
    labels: list[tuple[str, str, str]] = []
    for part in np.array_split(
        row_order(rows, options.pictures, choice), -(-options.pictures // BATCH)
    ):
        drawn = scenes(dataset, part, rows, choice, CHANCES)
        latents.append(encoded(vae, stacked(drawn)).half())
        labels += [(s.name, s.style, s.colour) for s in drawn]
    every = torch.cat(latents).contiguous()
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({"latents": every}, options.out / "latents.safetensors")
    (options.out / "latents.json").write_text(json.dumps(labels))
    spread = every.float()
    print(f"{len(labels)} latents, mean {spread.mean((0, 2, 3))}, std {spread.std((0, 2, 3))}")


if __name__ == "__main__":
    main()
