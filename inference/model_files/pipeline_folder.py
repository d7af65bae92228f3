"""See by its settings and headers alone whether a folder in diffusers' layout can be run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import GGUF_SUFFIX, is_folder, part_folder
from inference.model_files.gguf.gguf_families import check_gguf
from inference.model_files.header import read_header
from inference.model_files.identity import check_channels
from inference.model_files.json_files import read_json_object
from inference.model_files.pipelines.families import check_family
from inference.model_files.pipelines.flow_families import (
    NETWORK_PART,
    TEXT_MODEL_TYPES,
    FlowFamily,
    find_flow_family,
)
from inference.model_files.pipelines.part_weights import find_part_files, list_weight_files

#: Parts that a folder must hold.
REQUIRED_PARTS = ("unet", "vae", "text_encoder")
TEXT_PARTS = ("text_encoder", "text_encoder_2")
CONFIG_FILE, SCHEDULER_FILE = "config.json", "scheduler_config.json"
#: The class that each part's settings name, where they name one.
PART_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
FLOW_SCHEDULER_CLASS = "FlowMatchEulerDiscreteScheduler"
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
#: Settings that say how often something is built, and the most that any network of the field has.
MAX_LAYERS, MAX_BLOCKS = 256, 64
LAYER_SETTINGS = ("layers_per_block", "transformer_layers_per_block", "num_hidden_layers")
#: No width, length or count in any network's settings is larger.
MAX_SETTING = 2**24
MAX_CELLS = 1024  # latent cells a side
MAX_TRAIN_STEPS = 100_000
DEFAULT_CELLS = 64
DEFAULT_CHANNELS = 4
#: What bitsandbytes puts into the names of what it wrote, and the extra that reads it.
BITSANDBYTES_MARK, BITSANDBYTES_EXTRA = ".quant_state.bitsandbytes__", "nf4"


def check_folder(folder: Path) -> None:
    """See that a checkpoint's folder is whole and of a kind that is run.

    Raises:
        MissingWeights: a part is not there, or only as a pickle.
        UnsupportedWeights: it is of another family.
        CorruptWeights: a file or a setting is of no use.
    """
    if not is_folder(folder):
        raise MissingWeights("weights.no_folder", folder=folder.name)
    check_family(folder)
    if (family := find_flow_family(folder)) is not None:
        _check_flow_folder(folder, family)
        return
    for part in REQUIRED_PARTS:
        find_part_files(folder, part)
    for path in list_weight_files(folder):
        read_header(path)
    read_cells(folder)
    read_scheduler(folder)
    read_part_config(folder, "vae")
    read_text_widths(folder)


def _check_flow_folder(folder: Path, family: FlowFamily) -> None:
    """See that a folder of a flow family has all its parts, with settings that can be built."""
    for part in (NETWORK_PART, "vae", *family.text_classes):
        find_part_files(folder, part)
    for path in list_weight_files(folder):
        if path.suffix.lower() == GGUF_SUFFIX:
            check_gguf(path, family)
        else:
            _check_bits(path)
    read_flow_scheduler(folder)
    read_part_config(folder, NETWORK_PART, family.transformer_class)
    read_part_config(folder, "vae", family.autoencoder_class)
    for part, class_name in family.text_classes.items():
        model_type = TEXT_MODEL_TYPES[class_name]
        if read_part_config(folder, part).get("model_type", model_type) != model_type:
            raise UnsupportedWeights("weights.part_class", folder=folder.name, part=part)


def _check_bits(path: Path) -> None:
    """See that a file's header is sound, and that what reads its four bits is here.

    Raises:
        UnsupportedWeights: the extra that does is not installed.
        ModelError: the file cannot be read.
    """
    has_four_bits = any(BITSANDBYTES_MARK in name for name in read_header(path).entries)
    if has_four_bits and find_spec("bitsandbytes") is None:
        raise UnsupportedWeights("weights.needs_extra", file=path.name, extra=BITSANDBYTES_EXTRA)


def read_cells(folder: Path) -> int:
    """Read the side of a checkpoint's own latents in cells.

    Raises:
        ModelError: the network's settings are missing, of no use or of another family.
    """
    config = read_part_config(folder, "unet")
    cells = config.get("sample_size") or DEFAULT_CELLS
    if type(cells) is not int or not 1 <= cells <= MAX_CELLS:
        raise _bad_setting(folder / "unet" / CONFIG_FILE, "sample_size")
    check_channels(folder.name, config.get("in_channels", DEFAULT_CHANNELS))
    return cells


def read_channels(folder: Path) -> int:
    """Read how many channels a checkpoint's network takes.

    Raises:
        ModelError: the network's settings are missing, of no use or of another family.
    """
    return int(read_part_config(folder, "unet").get("in_channels", DEFAULT_CHANNELS))


def read_text_widths(folder: Path) -> list[int]:
    """Read how wide the words of each text encoder are.

    Raises:
        ModelError: settings are missing or of no use.
    """
    parts = [part for part in TEXT_PARTS if part_folder(folder, part).is_dir()]
    widths = [read_part_config(folder, part).get("hidden_size") for part in parts]
    for part, width in zip(parts, widths, strict=True):
        if type(width) is not int or width < 1:
            raise _bad_setting(part_folder(folder, part) / CONFIG_FILE, "hidden_size")
    return [int(width or 0) for width in widths]


def read_scheduler(folder: Path) -> dict[str, Any]:
    """Read what a checkpoint's folder says of its noise.

    Raises:
        MissingWeights: it says nothing.
        UnsupportedWeights: its network was trained on noise that is not run.
        CorruptWeights: the settings are of no use.
    """
    path = part_folder(folder, "scheduler") / SCHEDULER_FILE
    settings = read_json_object(path, folders=2)
    class_name = str(settings.get("_class_name", ""))
    for sign in ("EDM", "FlowMatch", "Karras"):
        if class_name.startswith(sign):
            raise UnsupportedWeights("weights.noise", name=folder.name, noise=sign)
    prediction = settings.get("prediction_type", "epsilon")
    if prediction not in PREDICTION_TYPES:
        raise UnsupportedWeights(
            "weights.prediction", name=folder.name, prediction=repr(prediction)[:40]
        )
    _check_numbers(path, settings)
    steps = settings.get("num_train_timesteps", 2)
    if type(steps) is not int or not 2 <= steps <= MAX_TRAIN_STEPS:
        raise _bad_setting(path, "num_train_timesteps")
    return settings


def read_flow_scheduler(folder: Path) -> dict[str, Any]:
    """Read what the folder of a flow family says of its noise.

    Raises:
        MissingWeights: it says nothing.
        UnsupportedWeights: its network was trained on other noise.
        CorruptWeights: the settings are of no use.
    """
    path = part_folder(folder, "scheduler") / SCHEDULER_FILE
    settings = read_json_object(path, folders=2)
    class_name = str(settings.get("_class_name", FLOW_SCHEDULER_CLASS))
    if not class_name.startswith("FlowMatch"):
        raise UnsupportedWeights("weights.noise", name=folder.name, noise=class_name[:40])
    _check_numbers(path, settings)
    return settings


def read_part_config(folder: Path, part: str, expected_class: str | None = None) -> dict[str, Any]:
    """Read the settings of a part, each within the bounds of what could ever be built.

    Without an expected class that of Stable Diffusion's part of the name is.

    Raises:
        MissingWeights: there are none.
        UnsupportedWeights: they are of another kind of network.
        CorruptWeights: they are of no use.
    """
    path = part_folder(folder, part) / CONFIG_FILE
    config = read_json_object(path, folders=2)
    expected_class = expected_class or PART_CLASSES.get(part)
    if config.get("_class_name", expected_class) != expected_class:
        raise UnsupportedWeights("weights.part_class", folder=folder.name, part=part)
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(n, str) for n in architectures):
        raise _bad_setting(path, "architectures")
    _check_numbers(path, config)
    return config


def _check_numbers(path: Path, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        limit = MAX_LAYERS if name in LAYER_SETTINGS else MAX_SETTING
        if isinstance(value, list) and len(value) > MAX_BLOCKS and name != "trained_betas":
            raise _bad_setting(path, name)
        if any(not -MAX_SETTING <= number <= limit for number in _numbers_of(value)):
            raise _bad_setting(path, name)


def _numbers_of(value: Any) -> Iterator[float]:
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _numbers_of(item)


def _bad_setting(path: Path, name: str) -> CorruptWeights:
    place = "/".join(path.parts[-3:-1])
    return CorruptWeights("weights.bad_setting", folder=place, file=path.name, name=name[:40])
