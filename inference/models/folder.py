"""Read a checkpoint from a folder in diffusers' layout; safetensors only, never the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from inference.models.approximation import read_map
from inference.models.diffusion import CELL, DiffusionModel
from inference.models.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.models.files import UNET_FILE, is_variant, part_folder
from inference.models.header import read_header
from inference.models.reader import fill, opened
from inference.models.words import Words
from inference.prompts.tokenizer import load_tokenizer
from inference.sampling.table import NoiseTable

#: What a folder must hold, and the file that proves it.
PARTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
PREDICTIONS = ("epsilon", "v_prediction", "sample")


def load_folder(
    folder: Path, name: str, device: torch.device, dtype: torch.dtype
) -> DiffusionModel:
    """Load a Stable Diffusion 1, 2 or XL checkpoint, its inpainting variants included.

    Raises:
        MissingWeights: a part is not there, or only as a pickle.
        UnsupportedWeights: another family.
        CorruptWeights: a part cannot be read.
    """
    _check_parts(folder)
    scheduler = _json(part_folder(folder, "scheduler") / "scheduler_config.json")
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise UnsupportedWeights(f"{name} predicts {prediction!r}, which Easel does not run.")
    unet = _unet(folder, device, dtype)
    vae = _part(AutoencoderKL, part_folder(folder, "vae"), device, dtype)
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=vae.to(memory_format=torch.channels_last),
        words=_words(folder, device),
        table=NoiseTable.from_config(scheduler, family="sdxl" if _is_pair(folder) else "sd"),
        prediction=prediction,
        size=int(unet.config.sample_size or 64) * CELL,
        device=device,
        dtype=dtype,
        rgb=read_map(part_folder(folder, "vae").parent),
    )


def _is_pair(folder: Path) -> bool:
    """Tell SDXL, with its two text encoders, from the families before it."""
    return part_folder(folder, "text_encoder_2").is_dir()


def _unet(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the denoising network; the weights that a variant does not hold are its checkpoint's."""
    if not is_variant(folder):
        return _part(UNet2DConditionModel, folder / "unet", device, dtype)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(_json(folder / "unet" / "config.json"))
    with opened(folder / UNET_FILE) as own, opened(folder.parent / UNET_FILE) as shared:

        def find(name: str) -> Tensor | None:
            return (own if name in own.names else shared).get(name)

        return fill(unet, find, folder / UNET_FILE, device, dtype)


def _words(folder: Path, device: torch.device) -> Words:
    """Load the text side; text models are small and stay in float32."""
    first = _part(CLIPTextModel, part_folder(folder, "text_encoder"), device, torch.float32)
    tokenizer = load_tokenizer(part_folder(folder, "tokenizer"))
    if not _is_pair(folder):
        return Words((tokenizer,), (first,))
    second = part_folder(folder, "text_encoder_2")
    projecting = _part(CLIPTextModelWithProjection, second, device, torch.float32)
    index = part_folder(folder, "model_index.json")
    zero = bool(_json(index).get("force_zeros_for_empty_prompt", True)) if index.exists() else True
    tokenizers = (tokenizer, load_tokenizer(part_folder(folder, "tokenizer_2")))
    return Words(tokenizers, (first, projecting), zero)


def natural_size(folder: Path) -> int:
    """Read the side of a checkpoint's own pictures in pixels, without loading it."""
    return int(_json(folder / "unet" / "config.json").get("sample_size") or 64) * CELL


def _check_parts(folder: Path) -> None:
    if not folder.is_dir():
        raise MissingWeights(f"There is no folder {folder.name} among the models.")
    for part, file in PARTS.items():
        if not (part_folder(folder, part) / file).is_file():
            raise MissingWeights(
                f"{folder.name} lacks {part}/{file}. Easel reads safetensors only; convert pickled "
                "weights once with `python main.py models import`."
            )


def _part(kind: Any, folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    if kind in (CLIPTextModel, CLIPTextModelWithProjection):
        options["dtype"] = dtype
    else:
        options |= {"torch_dtype": dtype, "low_cpu_mem_usage": False}
    for file in sorted(folder.glob("*.safetensors")):
        read_header(file)  # says more clearly what is wrong with a file than its reader does
    try:
        part, info = kind.from_pretrained(str(folder), output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CorruptWeights(f"{folder.parent.name}/{folder.name} cannot be read: {error}") from (
            error
        )
    missing = sorted(info["missing_keys"])
    if missing:  # left to itself, the library would fill them with noise
        raise CorruptWeights(
            f"{folder.parent.name}/{folder.name} lacks {len(missing)} weights, {missing[0]} among "
            "them: its file is not whole, or belongs to another network."
        )
    return part.to(device).requires_grad_(False).eval()


def _json(path: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingWeights(f"{path.parent.name}/{path.name} is missing.") from error
    except ValueError as error:
        raise CorruptWeights(f"{path.parent.name}/{path.name} is no JSON: {error}") from error
    return loaded
