"""Read a safetensors file's header alone: what it holds, without a single weight being loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import PICKLE_SUFFIXES

LENGTH_BYTES = 8  # the header's length, little-endian, before the header itself
MAX_HEADER_BYTES = 100_000_000  # bytes; the format's own limit
METADATA_KEY = "__metadata__"
#: Bytes of an element; files name formats that no network here uses too, but their size counts.
DTYPE_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
#: What stands in a file's first bytes instead, and what to say then.
LOOKALIKE_SIGNATURES = (
    (b"PK\x03\x04", "weights.hidden_pickle"),
    (b"\x80\x02", "weights.hidden_pickle"),
    (b"version https://git-lfs", "weights.lfs_pointer"),
    (b"GGUF", "weights.gguf"),
    (b"<", "weights.web_page"),
)


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: `dtype` as the format spells it, and where its bytes lie."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a safetensors file says of itself."""

    path: Path
    entries: Mapping[str, TensorEntry]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(path: Path) -> SafetensorsHeader:
    """Read and check a header; no byte of the tensors is touched.

    Raises:
        MissingWeights: there is no such file.
        UnsupportedWeights: it is a pickle or another kind of file.
        CorruptWeights: it is damaged or shorter than its header says.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UnsupportedWeights("weights.pickle", file=path.name)
    try:
        with path.open("rb") as file:
            start = file.read(LENGTH_BYTES + 16)
            length = int.from_bytes(start[:LENGTH_BYTES], "little")
            _refuse_lookalike(path, start, length)
            file.seek(LENGTH_BYTES)
            text = file.read(length)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise MissingWeights("weights.no_file", file=path.name) from error
    size = path.stat().st_size
    if len(text) < length:
        raise _truncated_file(path, size, LENGTH_BYTES + length)
    return _parse_header(path, text, size - LENGTH_BYTES - length)


def count_weights(files: Iterable[Path]) -> int:
    """Count the numbers in files by their headers.

    Raises:
        ModelError: a file cannot be read.
    """
    return sum(
        math.prod(entry.shape) for file in files for entry in read_header(file).entries.values()
    )


def _refuse_lookalike(path: Path, start: bytes, length: int) -> None:
    for signature, code in LOOKALIKE_SIGNATURES:
        if start.startswith(signature):
            raise UnsupportedWeights(code, file=path.name)
    if len(start) <= LENGTH_BYTES or not 2 <= length <= MAX_HEADER_BYTES or start[8:9] != b"{":
        raise CorruptWeights("weights.no_header", file=path.name)


def _parse_header(path: Path, text: bytes, data_bytes: int) -> SafetensorsHeader:
    """Take a header apart; `room` is the number of bytes behind it."""
    try:
        content = json.loads(text)
        metadata = content.pop(METADATA_KEY, {})
        entries = {name: _parse_entry(value) for name, value in content.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptWeights("weights.bad_header", file=path.name, error=error) from error
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].begin):
        # Packed formats of less than a byte are not in the table.
        size = math.prod(entry.shape) * DTYPE_BYTES.get(entry.dtype, 0)
        if entry.begin != end or (entry.dtype in DTYPE_BYTES and size != entry.end - entry.begin):
            raise CorruptWeights("weights.bad_entry", file=path.name, name=name)
        end = entry.end
    data_start = LENGTH_BYTES + len(text)
    if data_bytes < end:
        raise _truncated_file(path, data_start + data_bytes, data_start + end)
    if data_bytes > end:
        raise CorruptWeights(
            "weights.too_many_bytes", file=path.name, count=f"{data_bytes - end:,}"
        )
    return SafetensorsHeader(
        path, entries, {str(name): str(value) for name, value in metadata.items()}
    )


def _parse_entry(value: Any) -> TensorEntry:
    begin, end = value["data_offsets"]
    return TensorEntry(
        str(value["dtype"]), tuple(int(side) for side in value["shape"]), int(begin), int(end)
    )


def _truncated_file(path: Path, size: int, expected_size: int) -> CorruptWeights:
    return CorruptWeights(
        "weights.cut_short", file=path.name, size=f"{size:,}", expected=f"{expected_size:,}"
    )
