"""Read a checkpoint from a folder in diffusers' layout; safetensors only, never the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from inference.diffusion.latent_preview import read_preview_map
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel
from inference.diffusion.text_encoders import TextEncoders
from inference.model_files.errors import CorruptWeights, ModelError
from inference.model_files.files import UNET_FILE, is_variant, part_folder
from inference.model_files.header import count_weights, read_header
from inference.model_files.inspection import describe_error
from inference.model_files.json_files import open_plain_file, read_json_object
from inference.model_files.pipeline_folder import (
    check_folder,
    read_cells,
    read_part_config,
    read_scheduler,
    read_text_widths,
)
from inference.model_files.reader import load_into, open_tensors
from inference.prompts.chunks import Tokenizer
from inference.prompts.tokenizer import load_tokenizer
from inference.sampling.noise_table import NoiseTable


def load_folder(
    folder: Path, name: str, device: torch.device, dtype: torch.dtype
) -> DiffusionModel:
    """Load a Stable Diffusion 1, 2 or XL checkpoint, its inpainting variants included.

    Raises:
        MissingWeights: a part is not there, or only as a pickle.
        UnsupportedWeights: another family.
        CorruptWeights: a part cannot be read.
    """
    check_folder(folder)
    scheduler = read_scheduler(folder)
    unet = _load_unet(folder, device, dtype)
    vae = _load_part(AutoencoderKL, part_folder(folder, "vae"), device, dtype)
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=vae.to(memory_format=torch.channels_last),
        text_encoders=_load_text_encoders(folder, device),
        table=_build_noise_table(folder, scheduler),
        prediction=scheduler.get("prediction_type", "epsilon"),
        size=natural_size(folder),
        device=device,
        dtype=dtype,
        rgb=read_preview_map(part_folder(folder, "vae").parent),
    )


def _is_pair(folder: Path) -> bool:
    """Tell SDXL, with its two text encoders, from the families before it."""
    return part_folder(folder, "text_encoder_2").is_dir()


def _load_unet(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the denoising network; the weights that a variant does not hold are its checkpoint's."""
    if not is_variant(folder):
        return _load_part(UNet2DConditionModel, folder / "unet", device, dtype)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_part_config(folder, "unet"))
    with (
        open_tensors(folder / UNET_FILE) as own_weights,
        open_tensors(folder.parent / UNET_FILE) as shared_weights,
    ):

        def find_weight(name: str) -> Tensor | None:
            return (own_weights if name in own_weights.names else shared_weights).get_tensor(name)

        return load_into(unet, find_weight, folder / UNET_FILE, device, dtype)


def _load_text_encoders(folder: Path, device: torch.device) -> TextEncoders:
    """Load the text side; text models are small and stay in float32."""
    first = _load_part(CLIPTextModel, part_folder(folder, "text_encoder"), device, torch.float32)
    tokenizer = read_tokenizer(part_folder(folder, "tokenizer"))
    if not _is_pair(folder):
        is_open_clip = first.config.hidden_act == "gelu"  # Stable Diffusion 2's; OpenAI's is quick
        return TextEncoders((tokenizer,), (first,), has_fixed_layer=is_open_clip)
    second = part_folder(folder, "text_encoder_2")
    projecting = _load_part(CLIPTextModelWithProjection, second, device, torch.float32)
    index = part_folder(folder, "model_index.json")
    settings = read_json_object(index) if index.exists() else {}
    zero = bool(settings.get("force_zeros_for_empty_prompt", True))
    tokenizers = (tokenizer, read_tokenizer(part_folder(folder, "tokenizer_2")))
    return TextEncoders(tokenizers, (first, projecting), zero, has_fixed_layer=True)


def natural_size(folder: Path) -> int:
    """Read the side of a checkpoint's own pictures in pixels, without loading it.

    Raises:
        ModelError: the folder cannot be read.
    """
    return read_cells(folder) * PIXELS_PER_CELL


def text_width(folder: Path) -> int:
    """Read how wide the words of a checkpoint's text encoders are together, without loading it.

    Raises:
        ModelError: the folder cannot be read.
    """
    return sum(read_text_widths(folder))


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer out of its folder.

    Raises:
        CorruptWeights: it is not there, or cannot be read.
    """
    try:
        for file in folder.glob("*.*"):
            open_plain_file(file).close()
        return load_tokenizer(folder)
    except Exception as error:  # its readers' errors have no common class
        raise _unreadable_part(folder, error) from error


def _build_noise_table(folder: Path, scheduler: Mapping[str, Any]) -> NoiseTable:
    try:
        return NoiseTable.from_config(scheduler, family="sdxl" if _is_pair(folder) else "sd")
    except (TypeError, ValueError, ArithmeticError) as error:
        raise _unreadable_part(part_folder(folder, "scheduler"), error) from error


def _unreadable_part(folder: Path, error: Exception) -> CorruptWeights:
    name = f"{folder.parent.name}/{folder.name}"
    return CorruptWeights("weights.unreadable", name=name, error=describe_error(error))


def _load_part(kind: Any, folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    if kind in (CLIPTextModel, CLIPTextModelWithProjection):
        options["dtype"] = dtype
    else:
        options |= {"torch_dtype": dtype, "low_cpu_mem_usage": False}
    for file in sorted(folder.glob("*.safetensors")):
        read_header(file)  # says more clearly what is wrong with a file than its reader does
    part_name = f"{folder.parent.name}/{folder.name}"
    try:
        _check_size(kind, folder)
        part, info = kind.from_pretrained(str(folder), output_loading_info=True, **options)
    except ModelError:
        raise
    except Exception as error:  # settings can be wrong in ways that the library never foresaw
        raise _unreadable_part(folder, error) from error
    missing = sorted(info["missing_keys"])
    if missing:  # left to itself, the library would fill them with noise
        raise CorruptWeights(
            "weights.lacks_many", folder=part_name, count=len(missing), first=missing[0]
        )
    return part.to(device).requires_grad_(False).eval()


def _check_size(kind: Any, folder: Path) -> None:
    """See that the settings ask for no network that is larger than the weights beside them.

    Raises:
        CorruptWeights: they do.
    """
    config = read_part_config(folder.parent, folder.name)
    with torch.device("meta"):
        is_text = kind in (CLIPTextModel, CLIPTextModelWithProjection)
        part = kind(kind.config_class(**config)) if is_text else kind.from_config(config)
    size = sum(weight.numel() for weight in part.parameters())
    if size > count_weights(folder.glob("*.safetensors")):
        raise CorruptWeights("weights.part_size", folder=folder.parent.name, part=folder.name)
