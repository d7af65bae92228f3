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

from inference.diffusion.ldm_names import UnetNames, open_clip_name, vae_names
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel
from inference.diffusion.prediction_type import probe_prediction, stated_prediction
from inference.diffusion.text_encoders import TextEncoders
from inference.model_files.errors import UnsupportedWeights
from inference.model_files.identity import (
    UNET_PREFIX,
    VAE_PREFIXES,
    checkpoint_identity,
    identify_file,
)
from inference.model_files.reader import (
    Find,
    TensorFile,
    build_without_weights,
    load_into,
    open_tensors,
)
from inference.prompts.tokenizer import load_tokenizer
from inference.runtime.precision import PartFormats
from inference.sampling.noise_table import NoiseTable

CONFIGS_DIR = Path(__file__).resolve().parent / "configs"
SD2_BASE_CELLS = 64  # latent cells a side of Stable Diffusion 2 networks that predict epsilon
#: Families that share SDXL's latents, and read the layer before the last.
XL_FAMILIES = ("sdxl", "refiner")
#: Where the text encoders of each family lie, and in whose layout.
TEXT_ENCODER_LAYOUTS = {
    "sd1": (("clip", "cond_stage_model.transformer."),),
    "sd2": (("open_clip", "cond_stage_model.model."),),
    "sdxl": (
        ("clip", "conditioner.embedders.0.transformer."),
        ("open_clip", "conditioner.embedders.1.model."),
    ),
    "refiner": (("open_clip", "conditioner.embedders.0.model."),),
}


def load_checkpoint(
    path: Path,
    name: str,
    device: torch.device,
    formats: PartFormats,
    *,
    configs: Path = CONFIGS_DIR,
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
        raise UnsupportedWeights("weights.lacks_autoencoder", file=path.name, name=path.stem)
    family = str(identity.family)
    config = read_config(family, configs)
    config["unet"]["in_channels"] = identity.channels
    with open_tensors(path) as reader:
        unet = _load_unet(reader, config["unet"], device, formats.network)
        own_vae: Any = None
        if vae is None:
            own_vae = load_vae(reader, config["vae"], device, formats.autoencoder)
        text_encoders = _load_text_encoders(
            reader, config, family, configs, device=device, dtype=formats.text
        )
    autoencoder = vae and read_vae(vae, config["vae"], device, formats.autoencoder)
    prediction = stated_prediction(path, identity) or probe_prediction(unet, family)
    noise = {**config["scheduler"], "rescale_betas_zero_snr": identity.zero_terminal_snr}
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=(autoencoder or own_vae).to(memory_format=torch.channels_last),
        text_encoders=text_encoders,
        table=NoiseTable.from_config(noise, family="sdxl" if family in XL_FAMILIES else "sd"),
        prediction=prediction,
        size=_native_side(config, family, prediction),
        is_refiner=family == "refiner",
        device=device,
        dtype=formats.network,
    )


def natural_side(path: Path, configs: Path = CONFIGS_DIR) -> int:
    """Read the side of a checkpoint's own pictures in pixels off its header.

    Raises:
        ModelError: it is no checkpoint or cannot be read.
    """
    identity = checkpoint_identity(path)
    family = str(identity.family)
    return _native_side(read_config(family, configs), family, stated_prediction(path, identity))


def read_config(family: str, configs: Path = CONFIGS_DIR) -> dict[str, Any]:
    """Read the configs of a family's parts."""
    config: dict[str, Any] = json.loads((configs / f"{family}.json").read_text(encoding="utf-8"))
    return config


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
        raise UnsupportedWeights("weights.no_autoencoder", file=path.name, title=identity.title)
    with open_tensors(path) as reader:
        vae = load_vae(reader, config, device, dtype)
    return vae.to(memory_format=torch.channels_last)


def load_vae(
    reader: TensorFile, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> Any:
    """Read an autoencoder out of a checkpoint or a file of its own, in either layout.

    Raises:
        CorruptWeights: a weight is missing or has another shape.
    """
    with build_without_weights():
        vae = AutoencoderKL.from_config(dict(config))
    levels = len(config["block_out_channels"])

    def find_weight(name: str) -> Tensor | None:
        names = vae_names(name, levels)
        return reader.get_tensor(
            *(prefix + spelling for prefix in VAE_PREFIXES for spelling in names)
        )

    return load_into(vae, find_weight, reader.path, device, dtype)


def _native_side(config: Mapping[str, Any], family: str, prediction: str | None) -> int:
    """Give the side in pixels: the second family's noise predictors are its smaller ones."""
    side = int(config["unet"]["sample_size"])
    if family == "sd2" and prediction == "epsilon":
        side = min(side, SD2_BASE_CELLS)
    return side * PIXELS_PER_CELL


def _load_unet(
    reader: TensorFile, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype
) -> Any:
    with build_without_weights():
        unet = UNet2DConditionModel.from_config(dict(config))
    names = UnetNames(config)

    def find_weight(name: str) -> Tensor | None:
        return reader.get_tensor(UNET_PREFIX + names.original_name(name))

    return load_into(unet, find_weight, reader.path, device, dtype)


def _load_text_encoders(
    reader: TensorFile,
    config: Mapping[str, Any],
    family: str,
    configs: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> TextEncoders:
    tokenizer = load_tokenizer(configs / "tokenizer")
    models = []
    for (layout, prefix), settings in zip(
        TEXT_ENCODER_LAYOUTS[family], config["text_encoders"], strict=True
    ):
        has_projection = family in XL_FAMILIES and layout == "open_clip"
        kind = CLIPTextModelWithProjection if has_projection else CLIPTextModel
        with build_without_weights():
            model = kind(CLIPTextConfig(**settings))
        find = (clip_finder if layout == "clip" else _open_clip_finder)(reader, prefix)
        models.append(set_position_ids(load_into(model, find, reader.path, device, dtype), device))
    tokenizers = tuple(replace(tokenizer, pad=pad) for pad in config["padding"])
    return TextEncoders(
        tokenizers,
        tuple(models),
        zero_when_empty=family in XL_FAMILIES,
        reads_before_last=family == "refiner",
        has_fixed_layer=family != "sd1",
    )


def clip_finder(reader: TensorFile, prefix: str) -> Find:
    """Find the weights of a text encoder in transformers' own layout."""

    def find_weight(name: str) -> Tensor | None:
        bare = name.removeprefix("text_model.")
        return reader.get_tensor(f"{prefix}text_model.{bare}", prefix + bare)

    return find_weight


def _open_clip_finder(reader: TensorFile, prefix: str) -> Find:
    """Find the weights of a text encoder in OpenCLIP's layout, which joins q, k and v."""

    def find_weight(name: str) -> Tensor | None:
        original, third = open_clip_name(name.removeprefix("text_model."))
        weight = reader.get_tensor(prefix + original)
        if weight is None:  # a linear layer of its own lies the other way round
            linear = original == "text_projection"
            return reader.get_tensor(f"{prefix}text_projection.weight") if linear else None
        if original == "text_projection":
            return weight.T
        return weight if third is None else weight.chunk(3)[third]

    return find_weight


def set_position_ids(model: Any, device: torch.device) -> Any:
    """Count the positions of a text model: no file holds them, and the meta device lost them."""
    embeddings = getattr(model, "text_model", model).embeddings
    length = embeddings.position_embedding.num_embeddings
    embeddings.position_ids = torch.arange(length, device=device).expand(1, -1)
    return model
