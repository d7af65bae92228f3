"""Tiny checkpoints with random weights in the layout of latent diffusion's own files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.diffusion.ldm_names import UnetNames, open_clip_name, vae_name

WIDTH = 32
CLIP_PREFIX = {
    "sd1": "cond_stage_model.transformer.",
    "sdxl": "conditioner.embedders.0.transformer.",
}
OPEN_PREFIX = {
    "sd2": "cond_stage_model.model.",
    "sdxl": "conditioner.embedders.1.model.",
    "refiner": "conditioner.embedders.0.model.",
}


@pytest.fixture(scope="session")
def tiny_configs(tiny_model, tmp_path_factory) -> Path:
    """Give a folder of configs like the shipped ones, for networks of a few thousand weights."""
    folder = tmp_path_factory.mktemp("configs")
    shutil.copytree(tiny_model / "tiny" / "tokenizer", folder / "tokenizer")
    for family in ("sd1", "sd2", "sdxl", "refiner"):
        (folder / f"{family}.json").write_text(json.dumps(_config(family)), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def make_parts(tiny_configs) -> Callable[..., SimpleNamespace]:
    """Make the parts of a tiny checkpoint with random weights: unet, vae, texts, config."""

    def make(family: str = "sd1", channels: int = 4, seed: int = 0) -> SimpleNamespace:
        config = json.loads((tiny_configs / f"{family}.json").read_text(encoding="utf-8"))
        config["unet"]["in_channels"] = channels
        kinds = (CLIPTextModel, CLIPTextModelWithProjection)[family == "refiner" :]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return SimpleNamespace(
                family=family,
                config=config,
                unet=UNet2DConditionModel.from_config(config["unet"]).eval(),
                vae=AutoencoderKL.from_config(config["vae"]).eval(),
                texts=[
                    kind(CLIPTextConfig(**settings)).eval()
                    for kind, settings in zip(kinds, config["text_encoders"], strict=False)
                ],
            )

    return make


@pytest.fixture(scope="session")
def original_state() -> Callable[[SimpleNamespace], dict[str, torch.Tensor]]:
    """Lay a checkpoint's weights out under the names of the original layout."""
    return _original_state


@pytest.fixture(scope="session")
def write_original(make_parts) -> Callable[..., SimpleNamespace]:
    """Write a tiny checkpoint as one file; give its parts."""

    def write(path: Path, family: str = "sd1", **more: object) -> SimpleNamespace:
        extra = more.pop("extra", {})
        metadata = more.pop("metadata", None)
        parts = make_parts(family, **more)
        state = _original_state(parts) | extra
        save_file(
            {name: value.contiguous().clone() for name, value in state.items()}, path, metadata
        )
        return parts

    return write


def _original_state(parts: SimpleNamespace) -> dict[str, torch.Tensor]:
    names = UnetNames(parts.config["unet"])
    state = {
        f"model.diffusion_model.{names.original_name(name)}": value
        for name, value in parts.unet.state_dict().items()
    }
    levels = len(parts.config["vae"]["block_out_channels"])
    for name, value in parts.vae.state_dict().items():
        square = value[..., None, None] if ".to_" in name and value.ndim == 2 else value
        state[f"first_stage_model.{vae_name(name, levels)}"] = square
    for number, text in enumerate(parts.texts):
        if parts.family in ("sd2", "refiner") or number == 1:
            state |= _open_clip(text, OPEN_PREFIX[parts.family])
        else:
            prefix = CLIP_PREFIX[parts.family] + "text_model."
            state |= {prefix + name: value for name, value in text.state_dict().items()}
    return state


def _open_clip(text: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = {}
    thirds: dict[str, dict[int, torch.Tensor]] = {}
    for name, value in text.state_dict().items():
        original, third = open_clip_name(name.removeprefix("text_model."))
        if third is not None:
            thirds.setdefault(prefix + original, {})[third] = value
        else:
            state[prefix + original] = value.T if original == "text_projection" else value
    joined = {name: torch.cat([parts[0], parts[1], parts[2]]) for name, parts in thirds.items()}
    return state | joined


def _config(family: str) -> dict[str, object]:
    text = {
        "vocab_size": 13,
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 77,
        "projection_dim": WIDTH,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    unet: dict[str, object] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [16, 32],
        "layers_per_block": 1,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    if family != "sd1":
        unet["use_linear_projection"] = True
    if family == "sdxl":
        unet |= {
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
            "cross_attention_dim": 2 * WIDTH,
            "transformer_layers_per_block": [1, 2],
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": WIDTH + 6 * 8,
        }
    if family == "refiner":
        unet |= {
            "transformer_layers_per_block": [2, 2],
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": WIDTH + 5 * 8,
        }
    vae = {
        "block_out_channels": [8, 8, 16, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "sample_size": 64,
        "scaling_factor": 0.13025 if family in ("sdxl", "refiner") else 0.18215,
    }
    texts = [text, text] if family == "sdxl" else [text]
    return {
        "unet": unet,
        "vae": vae,
        "text_encoders": texts,
        "padding": [2, 2][: len(texts)],
        "scheduler": {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"},
    }
