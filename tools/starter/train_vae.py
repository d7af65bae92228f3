"""Train the autoencoder: diffusers' AutoencoderKL, 8 x down, 4 latent channels.

Run: python -m tools.starter.train_vae --minutes 35 [--init FOLDER]
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from tools.starter.augment import backgrounds, compose, mirrored, to_tensor
from tools.starter.captions import COLOURS
from tools.starter.data import Dataset, load
from tools.starter.training import Draw, Group, add_arguments, fit, plan_of

CROP = 64  # pixels; the decoder is convolutional, so crops teach it as well as whole pictures
BATCH = 16
LEARNING_RATE = 1e-3
KL_WEIGHT = 3e-5


def new_vae() -> AutoencoderKL:
    """Return an untrained autoencoder of the starter pack's shape (3.3 M parameters)."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 96, 128),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=128,
        mid_block_add_attention=False,
    )


def batch(dataset: Dataset, rows: np.ndarray, size: int, draw: Draw) -> Tensor:
    """Return random crops, float32 [size, 3, CROP, CROP] in -1 to 1, half on white."""
    chosen = draw.choice.choice(rows, size)
    left, top = draw.choice.integers(0, 128 - CROP + 1, (2, size))
    crops = [
        dataset.images[row, y : y + CROP, x : x + CROP]
        for row, x, y in zip(chosen, left, top, strict=True)
    ]
    icons = mirrored(to_tensor(np.stack(crops)), draw.choice.random(size) < 0.5)
    palette = list(COLOURS)
    names = [
        "white" if draw.choice.random() < 0.5 else palette[draw.choice.integers(len(palette))]
        for _ in range(size)
    ]
    jitter = 1 - 0.3 * torch.rand(size, 3, 1, 1, generator=draw.noise)
    jitter[torch.tensor([name == "white" for name in names])] = 1
    return compose(icons, backgrounds(names) * jitter)


def slopes(images: Tensor) -> Tensor:
    """Return the differences of neighbouring pixels, right and down, flattened into one vector."""
    right = images[..., 1:] - images[..., :-1]
    down = images[..., 1:, :] - images[..., :-1, :]
    return torch.cat([right.flatten(), down.flatten()])


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Weigh squared error, absolute error and the error of slopes; pictures in -1 to 1.

    The squared error is what PSNR measures; the other two keep flat areas flat and edges sharp.
    """
    error = made - wanted
    slope_error = slopes(made) - slopes(wanted)
    return 5 * error.square().mean() + 0.5 * error.abs().mean() + 0.25 * slope_error.abs().mean()


def psnr(made: Tensor, wanted: Tensor) -> Tensor:
    """Return each picture's peak signal-to-noise ratio in dB, [B]; pictures in -1 to 1."""
    error = ((made.clamp(-1, 1) - wanted) / 2).square().mean((1, 2, 3))
    return -10 * torch.log10(error.clamp_min(1e-10))


@torch.no_grad()
def held_back_psnr(vae: AutoencoderKL, dataset: Dataset, rows: np.ndarray) -> float:
    """Return the mean PSNR in dB over these rows, on white."""
    values = []
    for start in range(0, len(rows), 16):
        wanted = compose(to_tensor(dataset.images[rows[start : start + 16]]), torch.ones(1))
        wanted = wanted.to(vae.device, memory_format=torch.channels_last)
        with torch.autocast(vae.device.type, torch.bfloat16):
            made = vae.decode(vae.encode(wanted).latent_dist.mean).sample
        values.append(psnr(made.float(), wanted))
    return torch.cat(values).mean().item()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "vae")
    parser.add_argument("--init", type=Path, help="a vae folder to go on from")
    parser.add_argument(
        "--decoder-only",
        action="store_true",
        help="keep the latents as they are, for a UNet that was trained on them",
    )
    parser.add_argument(
        "--latent-noise",
        type=float,
        default=0.0,
        help="most noise to add before decoding, so that slightly wrong latents decode cleanly",
    )
    parser.add_argument(
        "--keep-latents",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="hold the latents near those of --init, for a UNet that was trained on them",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    options = _parser().parse_args(arguments)
    plan = plan_of(options)
    dataset = load(options.data)
    rows = dataset.training_rows(concepts_only=False)
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    vae = AutoencoderKL.from_pretrained(options.init) if options.init else new_vae()
    vae = vae.float().to(plan.device, memory_format=torch.channels_last).train()
    if options.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    before = copy.deepcopy(vae).requires_grad_(False) if options.keep_latents else None
    trained = [p for p in vae.parameters() if p.requires_grad]
    size = options.batch or BATCH

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        wanted = batch(dataset, rows, size, draw).to(plan.device)
        wanted = wanted.contiguous(memory_format=torch.channels_last)
        with torch.autocast(plan.device.type, torch.bfloat16):
            posterior = vae.encode(wanted).latent_dist
            mean, log_variance = posterior.mean.float(), posterior.logvar.float()
            noise = torch.randn(mean.shape, generator=draw.noise).to(plan.device)
            level = torch.exp(0.5 * log_variance)
            if options.latent_noise:
                strength = torch.rand(size, 1, 1, 1, generator=draw.noise).to(plan.device)
                level = level + options.latent_noise * strength
            made = vae.decode(mean + level * noise).sample.float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        total = reconstruction_loss(made, wanted) + KL_WEIGHT * divergence
        with torch.no_grad():
            figures = {"psnr": psnr(made, wanted).mean().item(), "kl": divergence.item()}
        if before is not None:
            with torch.no_grad(), torch.autocast(plan.device.type, torch.bfloat16):
                kept = before.encode(wanted).latent_dist.mean.float()
            moved = (mean - kept).square().mean()
            total = total + options.keep_latents * moved
            figures["moved"] = moved.sqrt().item()
        return total, figures

    rate = options.learning_rate or LEARNING_RATE
    fit(vae, loss, [Group(trained, rate)], plan, vae.save_pretrained)
    rows = dataset.rows(names=dataset.held_back)
    print(f"held-back names: {held_back_psnr(vae.eval(), dataset, rows):.2f} dB")


if __name__ == "__main__":
    main()
