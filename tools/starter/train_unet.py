"""Train the diffusion model: diffusers' UNet2DConditionModel with CLIP's text tower before it.

Run: python -m tools.starter.train_unet --minutes 60 [--init FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tools.starter.latents import load_latents
from tools.starter.training import Draw, Group, add_arguments, fit, groups_of, plan_of
from tools.starter.vocabulary import encode

BATCH = 64
LEARNING_RATE = 1e-3
TEXT_RATE = 0.1  # of the UNet's: the tower comes trained, and should keep what CLIP taught it
EMPTY_CAPTIONS = 0.1
MIN_SNR = 5.0
LATE_STEPS = 1.3  # Beta(1.3, 1): the noisier steps, where the shape is decided, come more often


def new_unet(in_channels: int = 4) -> UNet2DConditionModel:
    """Return an untrained UNet of the starter pack's shape (16.7 M parameters)."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=in_channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 256),
        layers_per_block=1,
        cross_attention_dim=192,
        attention_head_dim=4,
    )


def new_scheduler() -> DDIMScheduler:
    """Return the noise schedule of Stable Diffusion 1 (Rombach et al. 2022), epsilon prediction."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def text_tower(clip: CLIPModel) -> CLIPTextModel:
    """Return a CLIPTextModel with the weights of CLIP's text side."""
    tower = CLIPTextModel(CLIPTextConfig(**clip.config.text_config.to_dict()))
    tower.load_state_dict(clip.text_model.state_dict())
    return tower


def noised(latents: Tensor, kept: Tensor, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents [B, 4, H, W], the noise in them and their timesteps [B].

    kept: the share of signal variance left at each timestep (alphas_cumprod), [1000].
    """
    share = draw.choice.beta(LATE_STEPS, 1.0, len(latents))
    times = torch.from_numpy((share * (len(kept) - 1)).astype(np.int64))
    noise = torch.randn(latents.shape, generator=draw.noise)
    signal = kept[times][:, None, None, None]
    return signal.sqrt() * latents + (1 - signal).sqrt() * noise, noise, times


def min_snr_weight(kept: Tensor) -> Tensor:
    """Return each timestep's loss weight for epsilon prediction (Hang et al. 2023), [1000]."""
    ratio = kept / (1 - kept)
    return ratio.clamp_max(MIN_SNR) / ratio


def prompt_ids(tokenizer: CLIPTokenizer, captions: list[str], draw: Draw) -> Tensor:
    """Return token ids [B, LENGTH]; one caption in ten is emptied for classifier-free guidance."""
    emptied = draw.choice.random(len(captions)) < EMPTY_CAPTIONS
    kept = ["" if e else c for e, c in zip(emptied, captions, strict=True)]
    return torch.tensor(encode(tokenizer, kept))


class TextToNoise(nn.Module):
    """The text encoder and the UNet as one trainable module."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet

    def forward(self, noisy: Tensor, times: Tensor, ids: Tensor) -> Tensor:
        """Return the predicted noise, float32 [B, 4, H, W], under bfloat16 autocast.

        The plain attention kernel is the faster one for these short sequences and narrow heads.
        """
        device = noisy.device
        with torch.autocast(device.type, torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            hidden = self.text_encoder(ids).last_hidden_state
            noisy = noisy.contiguous(memory_format=torch.channels_last)
            made: Tensor = self.unet(noisy, times, hidden).sample
        return made.float()

    def groups(self, learning_rate: float) -> list[Group]:
        """Return the parameters with their learning rates."""
        return [
            *groups_of(self.unet, learning_rate),
            *groups_of(self.text_encoder, learning_rate * TEXT_RATE),
        ]

    def save(self, out: Path) -> None:
        """Write both models as folders under out."""
        self.text_encoder.save_pretrained(out / "text_encoder")
        self.unet.save_pretrained(out / "unet")


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "unet")
    parser.add_argument("--clip", type=Path, default=Path("data/starter/clip"))
    parser.add_argument("--latents", type=Path, default=Path("data/starter/latents"))
    parser.add_argument("--init", type=Path, help="a unet folder to go on from")
    parser.add_argument("--text-encoder", type=Path, help="one to go on from, instead of CLIP's")
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    latents = load_latents(options.latents)
    tokenizer = CLIPTokenizer.from_pretrained(options.clip / "tokenizer")
    unet = UNet2DConditionModel.from_pretrained(options.init) if options.init else new_unet()
    if options.text_encoder:
        text_encoder = CLIPTextModel.from_pretrained(options.text_encoder)
    else:
        text_encoder = text_tower(CLIPModel.from_pretrained(options.clip / "clip"))
    model = TextToNoise(text_encoder.float(), unet.float()).to(plan.device).train()
    model.unet.to(memory_format=torch.channels_last)
    kept = new_scheduler().alphas_cumprod
    weight = min_snr_weight(kept)
    size = options.batch or BATCH

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        clean, captions = latents.batch(size, draw.choice)
        noisy, noise, times = noised(clean, kept, draw)
        ids = prompt_ids(tokenizer, captions, draw)
        device = plan.device
        made = model(noisy.to(device), times.to(device), ids.to(device))
        error = (made - noise.to(device)).square().mean((1, 2, 3))
        return (error * weight[times].to(device)).mean(), {"error": error.mean().item()}

    fit(model, loss, model.groups(options.learning_rate or LEARNING_RATE), plan, model.save)


if __name__ == "__main__":
    main()
