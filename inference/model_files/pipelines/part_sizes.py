"""Count what each part of a checkpoint comes to by the headers of its files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.api.catalogue.memory_plan import PartSizes
from inference.model_files.files import GGUF_SUFFIX, NETWORK_PARTS, is_folder
from inference.model_files.gguf.gguf_header import read_entries
from inference.model_files.header import TensorEntry
from inference.model_files.identity import UNET_PREFIX
from inference.model_files.pipelines.part_weights import list_weight_files

PartKind = Literal["network", "text", "autoencoder"]
#: What single files call their text encoders, and the averages of training that nobody loads.
TEXT_PREFIXES, AVERAGED_PREFIX = ("cond_stage_model.", "conditioner."), "model_ema."
#: A name up to the number of a block: what comes and goes as one.
BLOCK_PATTERN = re.compile(r"(?:.*?\.)?[a-z_]+\.\d+(?=\.)")
#: Blocks of a UNet nest, and its largest holds up to half of it.
UNET_BLOCK_DIVISOR = 2


@dataclass(frozen=True)
class SizedWeight:
    """One weight of a part."""

    part: PartKind
    name: str
    entry: TensorEntry
    #: Whether it stays as its file has it.
    is_packed: bool = False

    def count_bytes(self, number_bytes: int) -> int:
        """Count its bytes once loaded, with so many a number."""
        if self.is_packed:
            return self.entry.end - self.entry.begin
        return math.prod(self.entry.shape) * number_bytes

    @property
    def block(self) -> str:
        """The block that it is of, or what it is called before its first dot."""
        match = BLOCK_PATTERN.match(self.name)
        return match[0] if match else self.name.partition(".")[0]


def measure_parts(path: Path, number_bytes: Mapping[PartKind, int]) -> PartSizes:
    """Count a checkpoint's bytes, part by part and in its largest blocks.

    `number_bytes` are those of a number of each part once loaded.

    Raises:
        ModelError: a file cannot be read.
    """
    totals: Counter[PartKind] = Counter()
    blocks: Counter[tuple[PartKind, str]] = Counter()
    for weight in list_weights(path):
        size = weight.count_bytes(number_bytes[weight.part])
        totals[weight.part] += size
        blocks[weight.part, weight.block] += size
    largest: Counter[PartKind] = Counter()
    for (part, _), size in blocks.items():
        largest[part] = max(largest[part], size)
    if not is_folder(path / NETWORK_PARTS[1]):
        largest["network"] = totals["network"] // UNET_BLOCK_DIVISOR
    return PartSizes(
        network=totals["network"],
        text=totals["text"],
        autoencoder=totals["autoencoder"],
        network_block=largest["network"],
        text_block=largest["text"],
    )


def list_weights(path: Path) -> Iterable[SizedWeight]:
    """List the weights of a checkpoint that are loaded, with the part that each is of.

    Raises:
        ModelError: a file cannot be read.
    """
    for file in list_weight_files(path):
        is_packed = file.suffix.lower() == GGUF_SUFFIX
        for name, entry in read_entries(file).items():
            if is_folder(path):
                yield SizedWeight(_part_of(file.parent.name), name, entry, is_packed)
            elif not name.startswith(AVERAGED_PREFIX):
                yield SizedWeight(_part_of(name), name, entry)


def _part_of(name: str) -> PartKind:
    """Tell a part by its folder, or by a weight's name in a single file."""
    if name in NETWORK_PARTS or name.startswith(UNET_PREFIX):
        return "network"
    return "text" if name.startswith(("text_encoder", *TEXT_PREFIXES)) else "autoencoder"
