"""Give an autoencoder's latents zero mean and unit spread, and fit the preview map.

Run: python -m tools.starter.normalise --vae data/starter/vae --out data/starter/vae/normalised

The change is folded into quant_conv and post_quant_conv, so that the autoencoder does the same as
before with scaling_factor 1 and no shift, in any pipeline.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from tools.starter.data import load
from tools.starter.latents import encoded_all
from tools.starter.scenes import Chances, scenes, stacked

IMAGES = 768
CHANCES = Chances(recoloured=0.0, pair=0.0)


@torch.no_grad()
def normalise(vae: AutoencoderKL, mean: Tensor, spread: Tensor) -> None:
    """Make latents (z - mean) / spread out of latents z, in place; both are float32 [channels]."""
    channels = len(mean)
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:channels] /= spread[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) / spread
    quant.bias[channels:] -= 2 * spread.log()  # the second half is the log-variance
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= spread[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0, shift_factor=None)


def preview_map(latents: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Fit RGB = weight @ latent + bias by least squares; return weight [3, 4] and bias [3].

    latents: [N, 4, H, W]. pictures: [N, 3, 8 H, 8 W] in -1 to 1; means of 8 x 8 are fitted.
    """
    wanted = functional.avg_pool2d(images, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    given = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    given = torch.cat([given, torch.ones(len(given), 1)], dim=1)
    solution = torch.linalg.lstsq(given, wanted).solution
    return solution[:-1].T.contiguous(), solution[-1]


def main(arguments: list[str] | None = None) -> None:
    """Normalise from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    parser.add_argument("--vae", type=Path, default=Path("data/starter/vae"))
    parser.add_argument("--out", type=Path, default=Path("data/starter/vae/normalised"))
    parser.add_argument("--pictures", type=int, default=IMAGES, help="to measure the latents on")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    dataset = load(options.data)
    vae = AutoencoderKL.from_pretrained(options.vae).float().eval()
    choice = np.random.default_rng(0)
    rows = choice.choice(dataset.training_rows(concepts_only=True), options.pictures)
    images = stacked(scenes(dataset, rows, rows, choice, CHANCES))
    vae.register_to_config(scaling_factor=1.0)
    raw = encoded_all(vae, images)
    mean, spread = raw.mean((0, 2, 3)), raw.std((0, 2, 3))
    print(f"latents before: mean {mean.tolist()}, spread {spread.tolist()}")
    normalise(vae, mean, spread)
    latents = encoded_all(vae, images)
    print(f"latents after: mean {latents.mean():.3f}, spread {latents.std():.3f}")
    vae.save_pretrained(options.out)
    weight, bias = preview_map(latents, images)
    preview = {"weight": weight.tolist(), "bias": bias.tolist()}
    (options.out / "preview.json").write_text(json.dumps(preview, indent=1))


if __name__ == "__main__":
    main()
