"""Checkpoints with random weights: tiny ones, and thin ones of the real structure.

The thin ones have every layer of Stable Diffusion 1 and XL with a few channels each, so that a step
launches as many kernels as the real one's.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tests.inference import conftest as tiny

CHANNELS = 8
ATTENDING, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
FAMILIES = {
    "sd1": {
        "block_out_channels": (CHANNELS, 2 * CHANNELS, 4 * CHANNELS, 4 * CHANNELS),
        "cross_attention_dim": tiny.WIDTH,
        "attention_head_dim": 2,
    },
    "sdxl": {
        "block_out_channels": (CHANNELS, 2 * CHANNELS, 4 * CHANNELS),
        "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
        "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2 * tiny.WIDTH,
        "attention_head_dim": (1, 2, 4),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": tiny.WIDTH + 6 * 8,
    },
}


def write_checkpoints(folder: Path) -> None:
    """Write `tiny`, `tiny-inpaint`, `sd1` and `sdxl`, with a LoRA for each but the second."""
    torch.manual_seed(0)
    for name, channels in (("tiny", 4), ("tiny-inpaint", 9), *((name, 4) for name in FAMILIES)):
        tiny.save_checkpoint(folder / name, channels)
    _write_lora(folder, "tiny", UNet2DConditionModel.from_pretrained(folder / "tiny" / "unet"))
    for family, settings in FAMILIES.items():
        network = UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, norm_num_groups=4, **settings
        )
        network.save_pretrained(folder / family / "unet")
        _write_lora(folder, family, network)
    _add_second_encoder(folder / "sdxl")


def _add_second_encoder(folder: Path) -> None:
    config = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    config["projection_dim"] = tiny.WIDTH
    encoder = CLIPTextModelWithProjection(CLIPTextConfig(**config))
    encoder.save_pretrained(folder / "text_encoder_2")
    (folder / "tokenizer_2").mkdir()
    (folder / "tokenizer_2" / "tokenizer.json").write_bytes(
        (folder / "tokenizer" / "tokenizer.json").read_bytes()
    )


def _write_lora(folder: Path, name: str, network: nn.Module) -> None:
    """Write a LoRA for every layer of a network's attention and of what follows it."""
    weights: dict[str, torch.Tensor] = {}
    for place, layer in network.named_modules():
        if ".attentions." in place and isinstance(layer, nn.Linear | nn.Conv2d):
            key = f"lora_unet_{place.replace('.', '_')}"
            tail = (1, 1) if isinstance(layer, nn.Conv2d) else ()
            rows, columns = layer.weight.shape[:2]
            weights[f"{key}.lora_down.weight"] = torch.randn(4, columns, *tail) * 0.1
            weights[f"{key}.lora_up.weight"] = torch.randn(rows, 4, *tail) * 0.1
            weights[f"{key}.alpha"] = torch.tensor(4.0)
    (folder / "loras").mkdir(exist_ok=True)
    save_file(weights, folder / "loras" / f"{name}.safetensors")
