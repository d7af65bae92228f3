"""Fine-tune the nine-channel inpainting UNet: noisy latents, mask, latents of the masked picture.

Run: python -m tools.starter.train_inpaint --minutes 10 --unet data/starter/unet

The text encoder stays as the text-to-picture training left it, and so do the UNet's deepest layers,
which know what things look like: both UNets share them, and the pack holds them once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter.captions import spoken
from tools.starter.data import load
from tools.starter.latents import CHANCES, encoded, row_order
from tools.starter.masks import latent_mask, random_mask
from tools.starter.scenes import scenes, stacked
from tools.starter.train_unet import (
    TextToNoise,
    min_snr_weight,
    new_scheduler,
    new_unet,
    noised,
    prompt_ids,
)
from tools.starter.training import Draw, Group, add_arguments, fit, plan_of

BATCH = 48
LEARNING_RATE = 5e-4
IMAGES = 6_000
PART = 32
#: The layers that learn to look at mask and surroundings; a quarter of the UNet's weights.
OWN = (
    "conv_in.",
    "time_embedding.",
    "down_blocks.0.",
    "down_blocks.1.",
    "down_blocks.2.resnets.",
    "up_blocks.1.",
    "up_blocks.2.",
    "conv_norm_out.",
    "conv_out.",
)


def is_own(key: str) -> bool:
    """Tell whether a weight of this name is the inpainting UNet's own; all others are shared."""
    return key.startswith(OWN)


def widened(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return the UNet with nine input channels; the five new ones start without effect."""
    inpaint = new_unet(in_channels=9)
    weights = unet.state_dict()
    first = torch.zeros_like(inpaint.conv_in.weight)
    first[:, :4] = weights["conv_in.weight"]
    inpaint.load_state_dict({**weights, "conv_in.weight": first})
    return inpaint


def masked(images: Tensor, masks: Tensor) -> Tensor:
    """Return pictures [B, 3, H, W] in -1 to 1 with mid-grey, 0, where the mask is set."""
    return images * (masks < 0.5)


def prepare(data: Path, vae: AutoencoderKL, out: Path, count: int, seed: int) -> None:
    """Encode scenes, and the same scenes under random masks, into out."""
    dataset = load(data)
    choice = np.random.default_rng(seed)
    rows = row_order(dataset.training_rows(concepts_only=True), count, choice)
    found: dict[str, list[Tensor]] = {"latents": [], "masks": [], "masked": []}
    labels: list[tuple[str, str, str]] = []
    for part in np.array_split(rows, -(-count // PART)):
        drawn = scenes(dataset, part, rows, choice, CHANCES)
        images = stacked(drawn)
        masks = torch.stack([random_mask(images.shape[-1], choice) for _ in drawn])
        found["latents"].append(encoded(vae, images).half())
        found["masks"].append(latent_mask(masks).half())
        found["masked"].append(encoded(vae, masked(images, masks)).half())
        labels += [(s.name, s.style, s.colour) for s in drawn]
    out.mkdir(parents=True, exist_ok=True)
    tensors = {key: torch.cat(parts).contiguous() for key, parts in found.items()}
    save_file(tensors, out / "masked.safetensors")
    (out / "masked.json").write_text(json.dumps(labels))


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "inpaint")
    parser.add_argument("--clip", type=Path, default=Path("data/starter/clip"))
    parser.add_argument("--unet", type=Path, default=Path("data/starter/unet"))
    parser.add_argument("--vae", type=Path, default=Path("data/starter/vae/normalised"))
    parser.add_argument("--pictures", type=int, default=IMAGES, help="scenes to encode, once")
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    if not (plan.out / "masked.safetensors").exists():
        vae = AutoencoderKL.from_pretrained(options.vae).float().eval()
        prepare(options.data, vae, plan.out, options.pictures, plan.seed)
    given = load_file(plan.out / "masked.safetensors")
    labels = json.loads((plan.out / "masked.json").read_text())
    tokenizer = CLIPTokenizer.from_pretrained(options.clip / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(options.unet / "text_encoder").float()
    unet = widened(UNet2DConditionModel.from_pretrained(options.unet / "unet").float())
    model = TextToNoise(text_encoder.requires_grad_(False), unet).to(plan.device)
    model.unet.to(memory_format=torch.channels_last).train()
    for name, parameter in model.unet.named_parameters():
        parameter.requires_grad_(is_own(name))
    kept = new_scheduler().alphas_cumprod
    weight = min_snr_weight(kept)
    size = options.batch or BATCH

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        rows = torch.from_numpy(draw.choice.integers(0, len(labels), size))
        noisy, noise, times = noised(given["latents"][rows].float(), kept, draw)
        captions = [spoken(draw.choice, *labels[row]) for row in rows.tolist()]
        ids = prompt_ids(tokenizer, captions, draw)
        inputs = torch.cat([noisy, given["masks"][rows].float(), given["masked"][rows].float()], 1)
        made = model(inputs.to(plan.device), times.to(plan.device), ids.to(plan.device))
        error = (made - noise.to(plan.device)).square().mean((1, 2, 3))
        return (error * weight[times].to(plan.device)).mean(), {"error": error.mean().item()}

    def save(out: Path) -> None:
        model.unet.save_pretrained(out / "unet_inpaint")

    trained: nn.Module = model.unet
    own = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    fit(trained, loss, [Group(own, options.learning_rate or LEARNING_RATE)], plan, save)


if __name__ == "__main__":
    main()
