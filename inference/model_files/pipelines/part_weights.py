"""Which files hold a part's weights in a folder of diffusers' layout.

Hosts have them as they were downloaded: whole or in shards, in full precision or as a variant
(`.fp16`), or several of these side by side. The names are those that diffusers and transformers
write: `model.safetensors`, `model.fp16.safetensors`, `model-00001-of-00002.fp16.safetensors` and,
in older repositories, `model.fp16-00001-of-00002.safetensors`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from inference.model_files.errors import CorruptWeights, MissingWeights
from inference.model_files.files import (
    GGUF_SUFFIX,
    NETWORK_PARTS,
    SAFETENSORS_SUFFIX,
    is_folder,
    is_variant,
    part_folder,
)
from inference.model_files.json_files import read_json_object

DIFFUSERS_STEM, TRANSFORMERS_STEM = "diffusion_pytorch_model", "model"
#: What the weight files of each part begin with.
PART_STEMS = {
    "unet": DIFFUSERS_STEM,
    "transformer": DIFFUSERS_STEM,
    "vae": DIFFUSERS_STEM,
    "text_encoder": TRANSFORMERS_STEM,
    "text_encoder_2": TRANSFORMERS_STEM,
    "text_encoder_3": TRANSFORMERS_STEM,
}
#: Parts of the checkpoints that are run.
RUN_PARTS = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
#: Of several precisions the first that is whole counts; others come by their names, after them.
PREFERRED_VARIANTS = ("", "fp16", "bf16", "fp32", "ema")
MAX_SHARDS = 999
#: A weight file's name behind its stem: precision, shard, and the precision where newer files say.
WEIGHT_NAME_PATTERN = re.compile(
    r"(?:\.(?P<old>\w+))?(?:-(?P<number>\d{5})-of-(?P<count>\d{5}))?(?:\.(?P<new>\w+))?"
    + re.escape(SAFETENSORS_SUFFIX)
)
INDEX_NAME_PATTERN = re.compile(
    re.escape(SAFETENSORS_SUFFIX) + r"\.index(?:\.(?P<variant>\w+))?\.json"
)


def find_part_files(folder: Path, part: str) -> list[Path]:
    """List the files that hold a part's weights together, of one precision.

    Raises:
        MissingWeights: there are none, or a shard is missing.
        CorruptWeights: an index is of no use.
    """
    return find_weight_files(part_folder(folder, part), PART_STEMS[part])


def find_weight_files(place: Path, stem: str) -> list[Path]:
    """List the files of one network in a folder; `stem` is what their names begin with.

    Raises:
        MissingWeights: there are none, or a shard is missing.
        CorruptWeights: an index is of no use.
    """
    names = _list_names(place)
    gguf_names = [name for name in names if name.lower().endswith(GGUF_SUFFIX)]
    if place.name == NETWORK_PARTS[1] and len(gguf_names) == 1:
        return [place / gguf_names[0]]  # who lays one there wants fewer bits
    layouts = dict(_list_layouts(place, names, stem))
    for variant in sorted(layouts, key=_variant_rank):
        if all(name in names for name in layouts[variant]):
            return [place / name for name in layouts[variant]]
    values = {"folder": place.parent.name, "part": place.name}
    if layouts:
        expected_names = layouts[min(layouts, key=_variant_rank)]
        file = next(name for name in expected_names if name not in names)
        raise MissingWeights("weights.lacks_shard", **values, file=file)
    single_files = [name for name in names if name.lower().endswith(SAFETENSORS_SUFFIX)]
    if len(single_files) == 1:
        return [place / single_files[0]]
    raise MissingWeights("weights.lacks_part", **values, file=f"{stem}{SAFETENSORS_SUFFIX}")


def list_weight_files(path: Path) -> list[Path]:
    """List the weight files of a checkpoint's folder, or the one file that it is.

    Of a variant's network they are both: its own, and those of the weights it shares.

    Raises:
        ModelError: a part has none.
    """
    if not is_folder(path):
        return [path]
    parts = [part for part in RUN_PARTS if is_folder(part_folder(path, part))]
    files = [file for part in parts for file in find_part_files(path, part)]
    if is_variant(path):
        files += find_part_files(path.parent, "unet")
    return files


def find_main_file(path: Path) -> Path:
    """Give the file by whose hash a checkpoint is known: its own, or its network's first.

    Raises:
        ModelError: its network has none.
    """
    return find_part_files(path, network_part(path))[0] if is_folder(path) else path


def network_part(folder: Path) -> str:
    """Name the part of a checkpoint's folder that its denoising network lies in."""
    parts = (part for part in NETWORK_PARTS if is_folder(part_folder(folder, part)))
    return next(parts, NETWORK_PARTS[0])


def _list_names(place: Path) -> list[str]:
    """List the names of what can be opened in a folder; none where there is none."""
    try:
        return sorted(entry.name for entry in place.iterdir() if os.path.exists(entry))  # noqa: PTH110
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        name = f"{place.parent.name}/{place.name}"
        raise CorruptWeights("weights.unreadable_file", name=name, error=error) from error


def _list_layouts(place: Path, names: list[str], stem: str) -> Iterator[tuple[str, list[str]]]:
    """Give each precision with the names of the files that it should have.

    A later answer for a precision counts more: a whole file more than an index, and that more than
    shards without one.
    """
    ending_by_name = {name: name.removeprefix(stem) for name in names if name.startswith(stem)}
    matches = [match for ending in ending_by_name.values() if (match := _match_weights(ending))]
    for match in matches:
        if match["number"]:
            yield _variant_of(match), _shard_names(stem, match)
    for name, ending in ending_by_name.items():
        if index := INDEX_NAME_PATTERN.fullmatch(ending):
            yield index["variant"] or "", _indexed_names(place / name)
    for match in matches:
        if not match["number"]:
            yield _variant_of(match), [stem + match.string]


def _match_weights(ending: str) -> re.Match[str] | None:
    match = WEIGHT_NAME_PATTERN.fullmatch(ending)
    return match if match and not (match["old"] and match["new"]) else None


def _variant_of(match: re.Match[str]) -> str:
    return match["old"] or match["new"] or ""


def _shard_names(stem: str, match: re.Match[str]) -> list[str]:
    """Name all shards of the set that one belongs to."""
    beginning, ending = match.string[: match.start("number")], match.string[match.end("number") :]
    return [
        f"{stem}{beginning}{number:05}{ending}"
        for number in range(1, min(int(match["count"]), 999) + 1)
    ]


def _indexed_names(path: Path) -> list[str]:
    """Read the names of the files that an index spreads the weights over.

    Raises:
        CorruptWeights: it is no such index, or leads out of its folder.
    """
    places = read_json_object(path, folders=2).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, Mapping) else []
    if not names or any(name != Path(name).name for name in names):
        folder = "/".join(path.parts[-3:-1])
        raise CorruptWeights(
            "weights.bad_setting", folder=folder, file=path.name, name="weight_map"
        )
    return names


def _variant_rank(variant: str) -> tuple[int, str]:
    is_preferred = variant in PREFERRED_VARIANTS
    rank = PREFERRED_VARIANTS.index(variant) if is_preferred else len(PREFERRED_VARIANTS)
    return rank, variant
