"""Say what a safetensors file is by the names and shapes in its header."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from inference.model_files.errors import UnsupportedWeights
from inference.model_files.files import CONTROLS_DIR, RESTORERS_DIR, UPSCALERS_DIR
from inference.model_files.header import SafetensorsHeader, read_header

FileKind = Literal[
    "checkpoint",
    "lora",
    "vae",
    "embedding",
    "unet",
    "upscaler",
    "control",
    "face_restorer",
    "colouriser",
    "other",
]
ModelFamily = Literal["sd1", "sd2", "sdxl", "refiner"]
StatedPrediction = Literal["epsilon", "v_prediction"]

UNET_PREFIX = "model.diffusion_model."
#: Where checkpoints and files of their own keep an autoencoder.
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
CONV_IN = f"{UNET_PREFIX}input_blocks.0.0.weight"
#: Channels that networks which are run take: latents alone, with a picture, or with a mask and a
#: masked picture.
INSTRUCT_CHANNELS, INPAINT_CHANNELS = 8, 9
RUNNABLE_CHANNELS = (4, INSTRUCT_CHANNELS, INPAINT_CHANNELS)
#: Others of the field.
CHANNEL_TITLES = {
    5: "a checkpoint that takes a depth map (depth2img)",
    7: "a checkpoint that enlarges pictures fourfold (x4 upscaler)",
}
CHANNEL_SUFFIXES = {INSTRUCT_CHANNELS: " InstructPix2Pix", INPAINT_CHANNELS: " inpainting"}
FAMILY_TITLES = {
    "sd1": "Stable Diffusion 1",
    "sd2": "Stable Diffusion 2",
    "sdxl": "SDXL",
    "refiner": "SDXL refiner",
}
#: Width of the words that a family's network attends to.
FAMILY_BY_TEXT_WIDTH: dict[int, ModelFamily] = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
#: Spellings of ModelSpec's metadata.
PREDICTION_BY_MODELSPEC: dict[str, StatedPrediction] = {
    **dict.fromkeys(("v", "v_prediction", "v-prediction", "vpred", "v_pred"), "v_prediction"),
    **dict.fromkeys(("epsilon", "eps", "noise"), "epsilon"),
}
#: Weights by which checkpoints say that they were trained on continuous noise (Karras et al. 2022).
CONTINUOUS_NOISE_SIGNS = {
    "edm_mean": "Playground v2.5, which was trained on EDM's noise",
    "edm_vpred.sigma_max": "a CosXL checkpoint, which was trained on EDM's noise",
}
#: Names that only LoRA and LyCORIS files have.
LORA_NAME_PATTERN = re.compile(
    r"^(?:lora_(?:unet|te\d?|prior)|lycoris)_"
    r"|^bundle_emb\."
    r"|\.lora_(?:down|up|mid|A|B|E|magnitude_vector)(?:\.|$)"
    r"|(?:\.lora|_lora|\.lora_linear_layer)\.(?:down|up)\."
    r"|\.(?:hada_w[12]_[ab]|lokr_w[12](?:_[ab])?|diff|diff_b|w_norm|b_norm|oft_blocks|oft_diag)$"
    r"|\.(?:oft_[rR]|boft_[Rs]|ia3_l|vera_lambda_[bd]|hra_u)(?:\.|$)"
)
#: A layer that reads words, and the weight of it whose second side is their width.
CROSS_ATTENTION_PATTERN = re.compile(
    r"attn2(?:_|\.|\.processor\.)to_[kv].*(?:\.lora_A(?:\.|$)|down\.weight$|\.hada_w[12]_b$|\.diff$)"
)
#: Families that Easel does not run, by a part of a name that only they have.
UNSUPPORTED_MODEL_SIGNS = (
    ("joint_blocks.", "a Stable Diffusion 3 model"),
    ("double_blocks.", "a FLUX or Chroma model"),
    ("cap_embedder.", "a Lumina or Z-Image model"),
    ("double_layers.", "an AuraFlow model"),
    ("motion_modules.", "an AnimateDiff motion module"),
    ("temporal_transformer", "a video model"),
)


#: Weights that only a ControlNet has, of the original layout and of diffusers'.
CONTROL_SIGNS = ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight")


@dataclass(frozen=True)
class RestorerSigns:
    """By what a network that restores instead of enlarging is known."""

    #: spandrel's name of its architecture.
    architecture: str
    kind: FileKind
    names: tuple[str, ...]
    title: str


RESTORER_SIGNS = (
    RestorerSigns(
        "GFPGAN",
        "face_restorer",
        ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"),
        "a face restorer (GFPGAN)",
    ),
    RestorerSigns(
        "CodeFormer",
        "face_restorer",
        ("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight"),
        "a face restorer (CodeFormer)",
    ),
    RestorerSigns(
        "DDColor",
        "colouriser",
        ("refine_net.0.0.weight_orig", "encoder.arch.norm.weight"),
        "a colouriser (DDColor)",
    ),
)


@dataclass(frozen=True)
class FileType:
    """What a file is."""

    kind: FileKind
    #: None where the header does not tell.
    family: ModelFamily | None = None
    #: Channels that the network takes: 4, 8 to edit by instructions, or 9 for inpainting.
    channels: int = 4
    #: What its network predicts, where the file says so.
    prediction: StatedPrediction | None = None
    #: Whether its noise table ends in pure noise.
    zero_terminal_snr: bool = False
    #: Whether it brings its own autoencoder.
    has_vae: bool = True
    #: What it is in words.
    title: str = ""
    #: spandrel's name of a restorer's architecture.
    architecture: str = ""


def identify_file(path: Path) -> FileType:
    """Read a file's header and say what it is.

    Raises:
        ModelError: it cannot be read.
    """
    return identify_header(read_header(path))


def identify_header(header: SafetensorsHeader) -> FileType:
    """Say what a file is by its header."""
    names = header.entries
    if any(LORA_NAME_PATTERN.search(name) for name in names):
        family = _lora_family(header)
        return FileType("lora", family, title=_title_with_family("LoRA", family))
    for sign, title in CONTINUOUS_NOISE_SIGNS.items():
        if sign in names:
            return FileType("other", title=title)
    if CONV_IN in names and (family := _checkpoint_family(header)):
        return _checkpoint_type(header, family)
    for restorer in RESTORER_SIGNS:
        if all(name in names for name in restorer.names):
            return FileType(restorer.kind, title=restorer.title, architecture=restorer.architecture)
    if any(name.endswith(CONTROL_SIGNS) for name in names):
        return FileType("control", title="a ControlNet")
    for sign, title in UNSUPPORTED_MODEL_SIGNS:
        if any(sign in name for name in names):
            return FileType("other", title=title)
    if _has_vae(names):
        return FileType("vae", title="an autoencoder (VAE)")
    if CONV_IN in names or "conv_in.weight" in names or "input_blocks.0.0.weight" in names:
        return FileType("unet", title="a denoising network without its text encoder")
    if (width := embedding_width(header)) is not None:
        family = FAMILY_BY_TEXT_WIDTH.get(width)
        return FileType("embedding", family, title=_title_with_family("embedding", family))
    if architecture := upscaler_architecture(header):
        return FileType("upscaler", title=f"an upscaler ({architecture})")
    return FileType("other", title="a file of another kind")


def checkpoint_identity(path: Path) -> FileType:
    """Identify a checkpoint.

    Raises:
        UnsupportedWeights: it is something else; the message says what and where that belongs.
        ModelError: it cannot be read.
    """
    file_type = identify_file(path)
    if file_type.kind == "checkpoint":
        check_channels(path.name, file_type.channels)
        return file_type
    places = {
        "lora": "loras",
        "vae": "vae",
        "embedding": "embeddings",
        "upscaler": UPSCALERS_DIR,
        "control": CONTROLS_DIR,
        **dict.fromkeys(("face_restorer", "colouriser"), RESTORERS_DIR),
    }
    place = places.get(file_type.kind)
    values = {"file": path.name, "title": file_type.title}
    if place is None:
        raise UnsupportedWeights("weights.no_checkpoint", **values)
    raise UnsupportedWeights("weights.misplaced", **values, folder=place)


def check_channels(name: str, channels: Any) -> None:
    """See that a network takes channels that it is given here.

    Raises:
        UnsupportedWeights: it does not; the message names its kind.
    """
    if channels not in RUNNABLE_CHANNELS:
        title = CHANNEL_TITLES.get(channels) if isinstance(channels, int) else None
        raise UnsupportedWeights(
            "weights.image_channels",
            name=name,
            title=title or "a checkpoint of another kind",
            count=channels,
        )


def upscaler_architecture(header: SafetensorsHeader) -> str | None:
    """Name the architecture of an upscaling network, by its arrays' names and shapes alone."""
    # All architectures that there are take seconds to import, and many a worker needs none.
    from spandrel import MAIN_REGISTRY, canonicalize_state_dict

    candidates = MAIN_REGISTRY.architectures("detection")
    try:
        arrays = {
            name: torch.empty(entry.shape, device="meta") for name, entry in header.entries.items()
        }
        state = canonicalize_state_dict(arrays)
        return next(
            (candidate.architecture.name for candidate in candidates if candidate.detect(state)),
            None,
        )
    except (RuntimeError, LookupError, ValueError):  # shapes that no network of these names has
        return None


def embedding_width(header: SafetensorsHeader) -> int | None:
    """Give the width of an embedding's vectors, SDXL's two together; None for another file."""
    entries = header.entries
    if set(entries) == {"clip_l", "clip_g"} and all(e.shape for e in entries.values()):
        return sum(entry.shape[-1] for entry in entries.values())
    vectors = entries.get("emb_params")
    if vectors is None and len(entries) == 1:
        vectors = next(iter(entries.values()))
    return vectors.shape[-1] if vectors is not None and len(vectors.shape) in (1, 2) else None


def _checkpoint_type(header: SafetensorsHeader, family: ModelFamily) -> FileType:
    names = header.entries
    channels = names[CONV_IN].shape[1]
    title = FAMILY_TITLES[family] + CHANNEL_SUFFIXES.get(channels, "")
    if channels not in RUNNABLE_CHANNELS:
        title = f"{CHANNEL_TITLES.get(channels, f'a checkpoint of {channels} channels')}, not run"
    stated = header.metadata.get("modelspec.prediction_type", "").lower()
    spelling = "v" if "v_pred" in names else stated
    return FileType(
        "checkpoint",
        family,
        channels,
        PREDICTION_BY_MODELSPEC.get(spelling),
        "ztsnr" in names,
        _has_vae(names),
        title,
    )


def _has_vae(names: Container[str]) -> bool:
    return any(f"{prefix}decoder.conv_in.weight" in names for prefix in VAE_PREFIXES)


def _checkpoint_family(header: SafetensorsHeader) -> ModelFamily | None:
    """Tell the family by its text encoders."""
    signs: tuple[tuple[str, ModelFamily], ...] = (
        ("conditioner.embedders.1.model.", "sdxl"),
        ("conditioner.embedders.0.model.", "refiner"),
        ("cond_stage_model.model.", "sd2"),
        ("cond_stage_model.transformer.", "sd1"),
    )
    for sign, family in signs:
        if any(name.startswith(sign) for name in header.entries):
            return family
    return None


def _lora_family(header: SafetensorsHeader) -> ModelFamily | None:
    """Tell a LoRA's family by the width of the words its cross-attention reads."""
    if any(name.startswith(("lora_te2_", "text_encoder_2.")) for name in header.entries):
        return "sdxl"
    for name, entry in header.entries.items():
        if CROSS_ATTENTION_PATTERN.search(name) and len(entry.shape) > 1:
            return FAMILY_BY_TEXT_WIDTH.get(entry.shape[1])
    return None


def _title_with_family(noun: str, family: ModelFamily | None) -> str:
    article = "a" if noun == "LoRA" else "an"
    return f"{article} {noun}" + (f" for {FAMILY_TITLES[family]}" if family else "")
