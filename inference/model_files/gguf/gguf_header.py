"""Read a GGUF file's header alone, within bounds: what it holds, without a weight being loaded.

The format is that of ggml's own specification, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.files import GGUF_SUFFIX
from inference.model_files.header import MAX_TENSORS, TensorEntry, read_header
from inference.model_files.json_files import open_plain_file

GGUF_MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_SETTINGS, MAX_TEXT_BYTES, MAX_HEADER_BYTES = 10_000, 2**20, 64 * 2**20
MAX_DIMENSIONS, MAX_SIDE, MAX_NESTING = 4, 2**31, 2
DEFAULT_ALIGNMENT, MAX_ALIGNMENT = 32, 2**16
ALIGNMENT_KEY, ARCHITECTURE_KEY = "general.alignment", "general.architecture"
#: By ggml's number of a type: its name, the numbers of a block, and the bytes of one.
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
    30: ("BF16", 1, 2),
}
#: By the format's number of a setting's type, how `struct` reads it.
SETTING_FORMATS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
TEXT_TYPE, ARRAY_TYPE = 8, 9


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself."""

    path: Path
    #: `begin` and `end` count from the beginning of the file; shapes are torch's, in numbers.
    entries: Mapping[str, TensorEntry]
    settings: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        """What it calls its architecture."""
        return str(self.settings.get(ARCHITECTURE_KEY, ""))


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check a header; no byte of the tensors is touched.

    Raises:
        MissingWeights: there is no such file.
        UnsupportedWeights: its version or a tensor's type is none that is read.
        CorruptWeights: it is damaged or shorter than its header says.
    """
    with open_plain_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            return _parse_header(path, _HeaderReader(file), size)
        except OSError as error:
            raise CorruptWeights("weights.unreadable_file", name=path.name, error=error) from error
        except (ValueError, struct.error) as error:
            raise CorruptWeights("weights.bad_header", file=path.name, error=error) from error


def read_entries(path: Path) -> Mapping[str, TensorEntry]:
    """Read what tensors a safetensors or a GGUF file holds.

    Raises:
        ModelError: it cannot be read.
    """
    is_gguf = path.suffix.lower() == GGUF_SUFFIX
    return read_gguf_header(path).entries if is_gguf else read_header(path).entries


class _HeaderReader:
    """Reads numbers and texts one behind the other, so many bytes at most."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0

    def read_bytes(self, count: int) -> bytes:
        if self.position + count > MAX_HEADER_BYTES:
            raise ValueError(f"it is longer than {MAX_HEADER_BYTES:,} bytes")
        data = self._file.read(count)
        if len(data) < count:
            raise ValueError("the file ends within it")
        self.position += count
        return data

    def read_number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.read_bytes(struct.calcsize(f"<{form}")))[0]

    def read_text(self) -> str:
        length = self.read_number("Q")
        if length > MAX_TEXT_BYTES:
            raise ValueError(f"a text of {length:,} bytes")
        return self.read_bytes(length).decode("utf-8", "replace")

    def read_setting(self, kind: int, nesting: int = 0) -> Any:
        if kind == TEXT_TYPE:
            return self.read_text()
        if kind in SETTING_FORMATS:
            return self.read_number(SETTING_FORMATS[kind])
        if kind != ARRAY_TYPE or nesting >= MAX_NESTING:
            raise ValueError(f"a setting of the type {kind}")
        item_kind, count = self.read_number("I"), self.read_number("Q")
        if item_kind in SETTING_FORMATS:  # read as one: only the number counts
            data = self.read_bytes(count * struct.calcsize(f"<{SETTING_FORMATS[item_kind]}"))
            return list(struct.unpack(f"<{count}{SETTING_FORMATS[item_kind]}", data))
        # Each item takes eight bytes at least, so that the bound of the header bounds this.
        return [self.read_setting(item_kind, nesting + 1) for _ in range(count)]


def _parse_header(path: Path, reader: _HeaderReader, size: int) -> GgufHeader:
    if reader.read_bytes(len(GGUF_MAGIC)) != GGUF_MAGIC:
        raise ValueError("it does not begin like a GGUF file")
    version = reader.read_number("I")
    if version not in VERSIONS:
        raise UnsupportedWeights("weights.gguf_version", file=path.name, version=version)
    tensor_count, setting_count = reader.read_number("Q"), reader.read_number("Q")
    if tensor_count > MAX_TENSORS or setting_count > MAX_SETTINGS:
        raise ValueError(f"it counts {tensor_count:,} tensors and {setting_count:,} settings")
    settings = {}
    for _ in range(setting_count):
        name = reader.read_text()
        settings[name] = reader.read_setting(reader.read_number("I"))
    entries = [_read_entry(path, reader) for _ in range(tensor_count)]
    alignment = settings.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
    if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT:
        raise ValueError(f"an alignment of {alignment!r:.40}")
    start = math.ceil(reader.position / alignment) * alignment
    placed_entries = {
        name: TensorEntry(entry.dtype, entry.shape, start + entry.begin, start + entry.end)
        for name, entry in entries
    }
    if len(placed_entries) < len(entries):
        raise ValueError("two tensors have one name")
    _check_places(path, placed_entries, start, size)
    return GgufHeader(path, placed_entries, settings)


def _read_entry(path: Path, reader: _HeaderReader) -> tuple[str, TensorEntry]:
    name = reader.read_text()
    dimensions = reader.read_number("I")
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    shape = tuple(reader.read_number("Q") for _ in range(dimensions))[::-1]
    number, begin = reader.read_number("I"), reader.read_number("Q")
    if number not in TENSOR_TYPES:
        raise UnsupportedWeights("weights.gguf_type", file=path.name, name=name[:80], type=number)
    dtype, block, block_bytes = TENSOR_TYPES[number]
    if any(side > MAX_SIDE for side in shape) or (block > 1 and (not shape or shape[-1] % block)):
        raise ValueError(f"the shape {shape} of {name[:80]} is none for {dtype}")
    return name, TensorEntry(dtype, shape, begin, begin + math.prod(shape) // block * block_bytes)


def _check_places(path: Path, entries: Mapping[str, TensorEntry], start: int, size: int) -> None:
    """See that every tensor lies within the file and none within another."""
    end = start
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin < end:
            raise CorruptWeights("weights.bad_entry", file=path.name, name=name[:80])
        end = entry.end
    if end > size:
        raise CorruptWeights(
            "weights.cut_short", file=path.name, size=f"{size:,}", expected=f"{end:,}"
        )
