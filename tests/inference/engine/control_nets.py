"""Tiny ControlNets with random weights, of diffusers' own classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, ControlNetUnionModel
from PIL import Image

#: Of a convolution that training begins with at zero, so that a random network answers.
SPREAD = 0.3


def make_control(unet, seed: int, union: bool = False) -> torch.nn.Module:
    """Make a network beside a denoising network, none of whose weights is zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        hint = {"conditioning_embedding_out_channels": (8, 8, 16, 16)}
        if union:
            config = dict(ControlNetModel.from_unet(unet, **hint).config)
            names = ("in_channels", "down_block_types", "block_out_channels", "layers_per_block")
            names += ("cross_attention_dim", "attention_head_dim", "norm_num_groups")
            names += ("addition_embed_type", "addition_time_embed_dim", "use_linear_projection")
            names += ("projection_class_embeddings_input_dim", "transformer_layers_per_block")
            module = ControlNetUnionModel(
                **{name: config[name] for name in names},
                **hint,
                num_trans_channel=16,
                num_proj_channel=16,
            )
        else:
            module = ControlNetModel.from_unet(unet, **hint)
        for weight in module.parameters():
            if not weight.any():
                torch.nn.init.normal_(weight, std=SPREAD)
    return module.eval()


def make_map(seed: int, side: int = 64) -> Image.Image:
    """Make a picture to hold another to."""
    values = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def save_control(path: Path, unet, seed: int, union: bool = False) -> torch.nn.Module:
    """Write a network as a folder; give it."""
    module = make_control(unet, seed, union)
    module.save_pretrained(path)
    return module
