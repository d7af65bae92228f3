"""Read a safetensors file's header alone: what it holds, without a single weight being loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.api.strict_json import decode_json
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.files import PICKLE_SUFFIXES
from inference.model_files.json_files import open_plain_file

#: The most that a size or an offset can be.
MAX_INTEGER = 2**63 - 1

LENGTH_BYTES = 8  # the header's length, little-endian, before the header itself
#: Trainers write some megabytes about their pictures; more than this takes seconds to read.
MAX_HEADER_BYTES = 16 * 2**20
MAX_TENSORS = 50_000  # the largest checkpoints of the field have a tenth of that
METADATA_KEY = "__metadata__"
BYTE_DTYPES = ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
#: Bytes of an element; files name formats that no network here uses too, but their size counts.
DTYPE_BYTES = {
    **dict.fromkeys(BYTE_DTYPES, 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
#: Formats whose elements share bytes.
PACKED_DTYPES = frozenset({"F4", "F6_E2M3", "F6_E3M2"})
MAX_NAME_SHOWN = 100  # characters of a tensor's name in a refusal
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
    with open_plain_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            start = file.read(LENGTH_BYTES + 16)
            length = int.from_bytes(start[:LENGTH_BYTES], "little")
            _refuse_lookalike(path, start, length)
            if LENGTH_BYTES + length > size:
                raise _truncated_file(path, size, LENGTH_BYTES + length)
            file.seek(LENGTH_BYTES)
            text = file.read(length)
        except OSError as error:
            raise CorruptWeights("weights.unreadable_file", name=path.name, error=error) from error
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
    if len(start) <= LENGTH_BYTES or length < 2 or start[8:9] != b"{":
        raise CorruptWeights("weights.no_header", file=path.name)
    if length > MAX_HEADER_BYTES:
        limit = f"{MAX_HEADER_BYTES:,}"
        raise CorruptWeights(
            "weights.header_length", file=path.name, size=f"{length:,}", limit=limit
        )


def _parse_header(path: Path, text: bytes, data_bytes: int) -> SafetensorsHeader:
    """Take a header apart; `data_bytes` is the number of bytes behind it."""
    try:
        content = decode_json(text)
        metadata = _parse_metadata(content.pop(METADATA_KEY, None))
        if len(content) > MAX_TENSORS:
            raise ValueError(f"it names {len(content)} tensors")
        entries = {name: _parse_entry(value) for name, value in content.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptWeights("weights.bad_header", file=path.name, error=error) from error
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        is_packed = entry.dtype in PACKED_DTYPES
        size = math.prod(entry.shape) * DTYPE_BYTES.get(entry.dtype, 0)
        if entry.begin != end or not (is_packed or size == entry.end - entry.begin):
            raise CorruptWeights("weights.bad_entry", file=path.name, name=name[:MAX_NAME_SHOWN])
        end = entry.end
    data_start = LENGTH_BYTES + len(text)
    if data_bytes < end:
        raise _truncated_file(path, data_start + data_bytes, data_start + end)
    if data_bytes > end:
        raise CorruptWeights(
            "weights.too_many_bytes", file=path.name, count=f"{data_bytes - end:,}"
        )
    return SafetensorsHeader(path, entries, metadata)


def _parse_metadata(value: Any) -> dict[str, str]:
    """Take what a file says of itself: texts by name, as the format has them."""
    metadata = {} if value is None else dict(value.items())
    if not all(isinstance(text, str) for text in metadata.values()):
        raise TypeError(f"{METADATA_KEY} holds more than texts")
    return metadata


def _parse_entry(value: Any) -> TensorEntry:
    begin, end = map(_parse_size, value["data_offsets"])
    dtype, shape = value["dtype"], tuple(map(_parse_size, value["shape"]))
    if dtype not in DTYPE_BYTES and dtype not in PACKED_DTYPES:
        raise ValueError(f"{dtype!r:.40} is no format of numbers")
    # Sides beside a side of none count too: torch multiplies them all.
    if begin > end or math.prod(side for side in shape if side) > MAX_INTEGER:
        raise ValueError("a tensor has a shape or a place that nothing can have")
    return TensorEntry(dtype, shape, begin, end)


def _parse_size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} is no size")
    return value


def _truncated_file(path: Path, size: int, expected_size: int) -> CorruptWeights:
    return CorruptWeights(
        "weights.cut_short", file=path.name, size=f"{size:,}", expected=f"{expected_size:,}"
    )
