"""Count what each part of a checkpoint comes to by the headers of its files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
#: Formats that stay as files have them; bitsandbytes keeps two numbers of four bits in a byte.
KEPT_DTYPES = ("F8_E4M3", "F8_E5M2", "U8")
#: Parts of names of layers that normalise or embed: a few bits of those show.
FULL_FORMAT_SIGNS = ("norm", "embed")


@dataclass(frozen=True)
class SizedWeight:
    """One weight of a part."""

    part: PartKind
    name: str
    entry: TensorEntry
    #: Whether it stays as its file has it.
    is_packed: bool = False
    #: Whether its checkpoint is of a family that predicts a flow.
    is_flow: bool = False

    def count_bytes(self, number_bytes: int) -> int:
        """Count its bytes once loaded, with so many a number."""
        if self.is_packed:
            return self.entry.end - self.entry.begin
        if self.part != "autoencoder" and self.is_flow and self.entry.dtype in KEPT_DTYPES:
            return math.prod(self.entry.shape)  # stays as it is
        return math.prod(self.entry.shape) * number_bytes

    def count_fp8_bytes(self, number_bytes: int) -> int:
        """Count its bytes with large weights of a network in eight bits."""
        if self.is_packed or not is_large_weight(self.name, self.entry.shape):
            return self.count_bytes(number_bytes)
        return math.prod(self.entry.shape)

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
    is_flow = is_folder(path / NETWORK_PARTS[1])
    totals: Counter[PartKind] = Counter()
    blocks: Counter[tuple[PartKind, str]] = Counter()
    fp8_blocks: Counter[str] = Counter()
    for weight in list_weights(path):
        size = weight.count_bytes(number_bytes[weight.part])
        totals[weight.part] += size
        blocks[weight.part, weight.block] += size
        if is_flow and weight.part == "network":
            fp8_blocks[weight.block] += weight.count_fp8_bytes(number_bytes["network"])
    largest: Counter[PartKind] = Counter()
    for (part, _), size in blocks.items():
        largest[part] = max(largest[part], size)
    if not is_flow:
        largest["network"] = totals["network"] // UNET_BLOCK_DIVISOR
    is_smaller = sum(fp8_blocks.values()) < totals["network"] and is_flow
    return PartSizes(
        network=totals["network"],
        text=totals["text"],
        autoencoder=totals["autoencoder"],
        network_block=largest["network"],
        text_block=largest["text"],
        fp8_network=sum(fp8_blocks.values()) if is_smaller else 0,
        fp8_block=max(fp8_blocks.values(), default=0) if is_smaller else 0,
    )


def is_large_weight(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight of a flow transformer is one of those that may be held in eight bits."""
    is_in_block = BLOCK_PATTERN.match(name) is not None and name.endswith(".weight")
    return is_in_block and len(shape) == 2 and not any(s in name for s in FULL_FORMAT_SIGNS)


def list_weights(path: Path) -> Iterable[SizedWeight]:
    """List the weights of a checkpoint that are loaded, with the part that each is of.

    Raises:
        ModelError: a file cannot be read.
    """
    is_flow = is_folder(path / NETWORK_PARTS[1])
    for file in list_weight_files(path):
        is_packed = file.suffix.lower() == GGUF_SUFFIX
        for name, entry in read_entries(file).items():
            if is_folder(path):
                yield SizedWeight(_part_of(file.parent.name), name, entry, is_packed, is_flow)
            elif not name.startswith(AVERAGED_PREFIX):
                yield SizedWeight(_part_of(name), name, entry)


def _part_of(name: str) -> PartKind:
    """Tell a part by its folder, or by a weight's name in a single file."""
    if name in NETWORK_PARTS or name.startswith(UNET_PREFIX):
        return "network"
    return "text" if name.startswith(("text_encoder", *TEXT_PREFIXES)) else "autoencoder"
