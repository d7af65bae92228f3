"""Read a checkpoint from one safetensors file in its original layout, without the network.

The parts' configs and CLIP's vocabulary come with Easel, in `configs/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.models.diffusion import CELL, DiffusionModel
from inference.models.errors import UnsupportedWeights
from inference.models.identity import UNET, VAE, checkpoint_identity, identify_file
from inference.models.ldm import UnetNames, open_clip_name, vae_name
from inference.models.parameterization import seen_prediction, stated_prediction
from inference.models.reader import Find, Reader, fill, opened
from inference.models.words import Words
from inference.prompts.tokenizer import load_tokenizer
from inference.sampling.table import NoiseTable

CONFIGS = Path(__file__).resolve().parent / "configs"
BASE_SIDE = 64  # latent cells a side of Stable Diffusion 2 networks that predict epsilon
#: Where the text encoders of each family lie, and in whose layout.
TEXT = {
    "sd1": (("clip", "cond_stage_model.transformer."),),
    "sd2": (("open_clip", "cond_stage_model.model."),),
    "sdxl": (
        ("clip", "conditioner.embedders.0.transformer."),
        ("open_clip", "conditioner.embedders.1.model."),
    ),
}


def load_checkpoint(
    path: Path,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    configs: Path = CONFIGS,
    vae: Path | None = None,
) -> DiffusionModel:
    """Load a Stable Diffusion 1, 2 or XL checkpoint, its inpainting variants included.

    `vae` is a file whose autoencoder takes the place of the checkpoint's own.

    Raises:
        UnsupportedWeights: it is another kind of file, a pickle, or has no autoencoder.
        CorruptWeights: it is damaged or cut short.
    """
    identity = checkpoint_identity(path)
    if not identity.has_vae and vae is None:
        raise UnsupportedWeights(
            f"{path.name} has no autoencoder of its own; lay one beside it, as "
            f"{path.stem}.vae.safetensors."
        )
    family = str(identity.family)
    config = read_config(family, configs)
    config["unet"]["in_channels"] = identity.channels
    with opened(path) as reader:
        unet = _unet(reader, config["unet"], device, dtype)
        own: Any = None if vae else load_vae(reader, config["vae"], device, dtype)
        words = _words(reader, config, family, device, configs)
    autoencoder = own if vae is None else read_vae(vae, config["vae"], device, dtype)
    prediction = stated_prediction(path, identity) or seen_prediction(unet)
    noise = {**config["scheduler"], "rescale_betas_zero_snr": identity.zero_terminal_snr}
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=autoencoder.to(memory_format=torch.channels_last),
        words=words,
        table=NoiseTable.from_config(noise, family="sdxl" if family == "sdxl" else "sd"),
        prediction=prediction,
        size=_side(config, family, prediction),
        device=device,
        dtype=dtype,
    )


def natural_side(path: Path, configs: Path = CONFIGS) -> int:
    """Read the side of a checkpoint's own pictures in pixels off its header.

    Raises:
        ModelError: it is no checkpoint or cannot be read.
    """
    identity = checkpoint_identity(path)
    family = str(identity.family)
    return _side(read_config(family, configs), family, stated_prediction(path, identity))


def read_config(family: str, configs: Path = CONFIGS) -> dict[str, Any]:
    """Read the configs of a family's parts."""
    loaded: dict[str, Any] = json.loads((configs / f"{family}.json").read_text(encoding="utf-8"))
    return loaded


def read_vae(
    path: Path, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> Any:
    """Read an autoencoder from a file of its own.

    Raises:
        UnsupportedWeights: the file holds none.
        CorruptWeights: a weight is missing or has another shape.
    """
    identity = identify_file(path)
    if identity.kind != "vae" and not (identity.kind == "checkpoint" and identity.has_vae):
        raise UnsupportedWeights(f"{path.name} is {identity.title}, no autoencoder.")
    with opened(path) as reader:
        vae = load_vae(reader, config, device, dtype)
    return vae.to(memory_format=torch.channels_last)


def load_vae(
    reader: Reader, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> Any:
    """Read an autoencoder out of a checkpoint or a file of its own, in either layout.

    Raises:
        CorruptWeights: a weight is missing or has another shape.
    """
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(dict(config))
    levels = len(config["block_out_channels"])

    def find(name: str) -> Tensor | None:
        original = vae_name(name, levels)
        return reader.get(VAE + original, original, name)

    return fill(vae, find, reader.path, device, dtype)


def _side(config: Mapping[str, Any], family: str, prediction: str | None) -> int:
    """Give the side in pixels: the second family's noise predictors are its smaller ones."""
    side = int(config["unet"]["sample_size"])
    if family == "sd2" and prediction == "epsilon":
        side = min(side, BASE_SIDE)
    return side * CELL


def _unet(
    reader: Reader, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> Any:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(config))
    names = UnetNames(config)

    def find(name: str) -> Tensor | None:
        return reader.get(UNET + names.original(name))

    return fill(unet, find, reader.path, device, dtype)


def _words(
    reader: Reader, config: Mapping[str, Any], family: str, device: torch.device, configs: Path
) -> Words:
    """Load the text side; text models are small and stay in float32."""
    tokenizer = load_tokenizer(configs / "tokenizer")
    models = []
    for (layout, prefix), settings in zip(TEXT[family], config["text_encoders"], strict=True):
        joined = family == "sdxl" and layout == "open_clip"
        kind = CLIPTextModelWithProjection if joined else CLIPTextModel
        with torch.device("meta"):
            model = kind(CLIPTextConfig(**settings))
        find = (_clip if layout == "clip" else _open_clip)(reader, prefix)
        models.append(_positioned(fill(model, find, reader.path, device, torch.float32), device))
    tokenizers = tuple(replace(tokenizer, pad=pad) for pad in config["padding"])
    return Words(tokenizers, tuple(models), zero_when_empty=family == "sdxl")


def _clip(reader: Reader, prefix: str) -> Find:
    """Find the weights of a text encoder in transformers' own layout."""

    def find(name: str) -> Tensor | None:
        bare = name.removeprefix("text_model.")
        return reader.get(f"{prefix}text_model.{bare}", prefix + bare)

    return find


def _open_clip(reader: Reader, prefix: str) -> Find:
    """Find the weights of a text encoder in OpenCLIP's layout, which joins q, k and v."""

    def find(name: str) -> Tensor | None:
        original, third = open_clip_name(name.removeprefix("text_model."))
        found = reader.get(prefix + original)
        if found is None:
            return None
        if original == "text_projection":
            return found.T
        return found if third is None else found.chunk(3)[third]

    return find


def _positioned(model: Any, device: torch.device) -> Any:
    """Count the positions of a text model: no file holds them, and the meta device lost them."""
    embeddings = getattr(model, "text_model", model).embeddings
    length = embeddings.position_embedding.num_embeddings
    embeddings.position_ids = torch.arange(length, device=device).expand(1, -1)
    return model
