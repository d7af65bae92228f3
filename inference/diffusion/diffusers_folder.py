"""Read a checkpoint from a folder in diffusers' layout; safetensors only, never the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.diffusion.latent_preview import read_preview_map
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel
from inference.diffusion.single_file import clip_finder, load_vae, set_position_ids
from inference.diffusion.text_encoders import TextEncoders
from inference.model_files.errors import CorruptWeights, ModelError
from inference.model_files.files import PIPELINE_INDEX, is_variant, part_folder
from inference.model_files.header import read_header
from inference.model_files.inspection import describe_error
from inference.model_files.json_files import open_plain_file, read_json_object
from inference.model_files.pipeline_folder import (
    check_folder,
    read_cells,
    read_part_config,
    read_scheduler,
    read_text_widths,
)
from inference.model_files.pipelines.part_weights import find_part_files
from inference.model_files.reader import TensorFile, build_without_weights, load_into, open_tensors
from inference.prompts.chunks import Tokenizer
from inference.prompts.tokenizer import load_tokenizer
from inference.runtime.precision import PartFormats
from inference.sampling.noise_table import NoiseTable


def load_folder(
    folder: Path, name: str, device: torch.device, formats: PartFormats
) -> DiffusionModel:
    """Load a Stable Diffusion 1, 2 or XL checkpoint, its inpainting variants included.

    Raises:
        MissingWeights: a part is not there, or only as a pickle.
        UnsupportedWeights: another family.
        CorruptWeights: a part cannot be read.
    """
    check_folder(folder)
    scheduler = read_scheduler(folder)
    unet = _load_unet(folder, device, formats.network)
    vae = load_folder_vae(folder, device, formats.autoencoder)
    return DiffusionModel(
        name=name,
        unet=unet.to(memory_format=torch.channels_last),
        vae=vae.to(memory_format=torch.channels_last),
        text_encoders=_load_text_encoders(folder, device, formats.text),
        table=_build_noise_table(folder, scheduler),
        prediction=scheduler.get("prediction_type", "epsilon"),
        size=natural_size(folder),
        device=device,
        dtype=formats.network,
        rgb=read_preview_map(part_folder(folder, "vae").parent),
    )


def is_pair(folder: Path) -> bool:
    """Tell SDXL, with its two text encoders, from the families before it."""
    return part_folder(folder, "text_encoder_2").is_dir()


def _load_unet(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the denoising network; the weights that a variant does not hold are its checkpoint's."""
    config = read_part_config(folder, "unet")
    with ExitStack() as stack:
        readers = [stack.enter_context(open_part(folder, "unet"))]
        if is_variant(folder):
            readers.append(stack.enter_context(open_part(folder.parent, "unet")))
        with name_part(folder, "unet"):
            with build_without_weights():
                unet = UNet2DConditionModel.from_config(config)

            def find_weight(name: str) -> Tensor | None:
                return next((r.get_tensor(name) for r in readers if name in r.names), None)

            return load_into(unet, find_weight, folder / "unet", device, dtype)


def load_folder_vae(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the autoencoder of a checkpoint's folder.

    Raises:
        ModelError: it is not there, or cannot be read.
    """
    with open_part(folder, "vae") as reader, name_part(folder, "vae"):
        return load_vae(reader, read_part_config(folder, "vae"), device, dtype)


def _load_text_encoders(folder: Path, device: torch.device, dtype: torch.dtype) -> TextEncoders:
    first = _load_text_model(CLIPTextModel, folder, "text_encoder", device, dtype)
    tokenizer = read_tokenizer(part_folder(folder, "tokenizer"))
    if not is_pair(folder):
        is_open_clip = first.config.hidden_act == "gelu"  # Stable Diffusion 2's; OpenAI's is quick
        return TextEncoders((tokenizer,), (first,), has_fixed_layer=is_open_clip)
    projecting = _load_text_model(
        CLIPTextModelWithProjection, folder, "text_encoder_2", device, dtype
    )
    index = part_folder(folder, PIPELINE_INDEX)
    settings = read_json_object(index) if index.exists() else {}
    zero = bool(settings.get("force_zeros_for_empty_prompt", True))
    tokenizers = (tokenizer, read_tokenizer(part_folder(folder, "tokenizer_2")))
    return TextEncoders(tokenizers, (first, projecting), zero, has_fixed_layer=True)


def _load_text_model(
    kind: Any, folder: Path, part: str, device: torch.device, dtype: torch.dtype
) -> Any:
    with open_part(folder, part) as reader, name_part(folder, part):
        with build_without_weights():
            model = kind(CLIPTextConfig(**read_part_config(folder, part)))
        loaded_model = load_into(model, clip_finder(reader, ""), reader.path, device, dtype)
        return set_position_ids(loaded_model, device)


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
        return NoiseTable.from_config(scheduler, family="sdxl" if is_pair(folder) else "sd")
    except (TypeError, ValueError, ArithmeticError) as error:
        raise _unreadable_part(part_folder(folder, "scheduler"), error) from error


def _unreadable_part(folder: Path, error: Exception) -> CorruptWeights:
    name = f"{folder.parent.name}/{folder.name}"
    return CorruptWeights("weights.unreadable", name=name, error=describe_error(error))


@contextmanager
def open_part(folder: Path, part: str) -> Iterator[TensorFile]:
    """Open the weights of a part, whole or in shards, in whichever precision they are there.

    Raises:
        ModelError: there are none, or a file is of no use.
    """
    files = find_part_files(folder, part)
    for file in files:
        read_header(file)  # says more clearly what is wrong with a file than its reader does
    with open_tensors(*files) as reader:
        yield reader


@contextmanager
def name_part(folder: Path, part: str) -> Iterator[None]:
    """Name the part when it cannot be built: settings are wrong in ways that no library foresaw.

    Raises:
        CorruptWeights: it cannot.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise _unreadable_part(part_folder(folder, part), error) from error
