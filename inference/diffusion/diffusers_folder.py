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

from inference.diffusion.latent_preview import read_preview_map
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel
from inference.diffusion.text_encoders import TextEncoders
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import UNET_FILE, is_variant, part_folder
from inference.model_files.header import read_header
from inference.model_files.reader import load_into, open_tensors
from inference.prompts.tokenizer import load_tokenizer
from inference.sampling.noise_table import NoiseTable

#: What a folder must hold, and the file that proves it.
REQUIRED_FILES = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


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
    scheduler = _read_config(part_folder(folder, "scheduler") / "scheduler_config.json")
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in PREDICTION_TYPES:
        raise UnsupportedWeights("weights.prediction", name=name, prediction=repr(prediction))
    unet = _load_unet(folder, device, dtype)
    vae = _load_part(AutoencoderKL, part_folder(folder, "vae"), device, dtype)
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=vae.to(memory_format=torch.channels_last),
        text_encoders=_load_text_encoders(folder, device),
        table=NoiseTable.from_config(scheduler, family="sdxl" if _is_pair(folder) else "sd"),
        prediction=prediction,
        size=int(unet.config.sample_size or 64) * PIXELS_PER_CELL,
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
        unet = UNet2DConditionModel.from_config(_read_config(folder / "unet" / "config.json"))
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
    tokenizer = load_tokenizer(part_folder(folder, "tokenizer"))
    if not _is_pair(folder):
        return TextEncoders((tokenizer,), (first,))
    second = part_folder(folder, "text_encoder_2")
    projecting = _load_part(CLIPTextModelWithProjection, second, device, torch.float32)
    index = part_folder(folder, "model_index.json")
    settings = _read_config(index) if index.exists() else {}
    zero = bool(settings.get("force_zeros_for_empty_prompt", True))
    tokenizers = (tokenizer, load_tokenizer(part_folder(folder, "tokenizer_2")))
    return TextEncoders(tokenizers, (first, projecting), zero)


def natural_size(folder: Path) -> int:
    """Read the side of a checkpoint's own pictures in pixels, without loading it."""
    cells = _read_config(folder / "unet" / "config.json").get("sample_size") or 64
    return int(cells) * PIXELS_PER_CELL


def text_width(folder: Path) -> int:
    """Read how wide the words of a checkpoint's text encoders are together, without loading it."""
    parts = ("text_encoder", "text_encoder_2")
    configs = [part_folder(folder, part) / "config.json" for part in parts]
    return sum(int(_read_config(path)["hidden_size"]) for path in configs if path.is_file())


def _check_parts(folder: Path) -> None:
    if not folder.is_dir():
        raise MissingWeights("weights.no_folder", folder=folder.name)
    for part, file in REQUIRED_FILES.items():
        if not (part_folder(folder, part) / file).is_file():
            raise MissingWeights("weights.lacks_part", folder=folder.name, part=part, file=file)


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
        part, info = kind.from_pretrained(str(folder), output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CorruptWeights("weights.unreadable", name=part_name, error=error) from error
    missing = sorted(info["missing_keys"])
    if missing:  # left to itself, the library would fill them with noise
        raise CorruptWeights(
            "weights.lacks_many", folder=part_name, count=len(missing), first=missing[0]
        )
    return part.to(device).requires_grad_(False).eval()


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingWeights(
            "weights.file_missing", folder=path.parent.name, file=path.name
        ) from error
    except ValueError as error:
        raise CorruptWeights(
            "weights.no_json", folder=path.parent.name, file=path.name, error=error
        ) from error
    return config
