"""JPEG files as the segments they consist of; nothing is decoded here.

Source: ITU-T T.81, annex B (https://www.w3.org/Graphics/JPEG/itu-t81.pdf).
"""

from __future__ import annotations

import re
import struct

START = b"\xff\xd8"
LENGTH = struct.Struct(">H")
COMMENT, SCAN, END = 0xFE, 0xDA, 0xD9
ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
"""Markers without a body."""

MARKER = re.compile(rb"\xff+([^\x00\xff])")
AFTER_DATA = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
MAX_SEGMENTS = 10_000
MAX_SCANS = 500  # a progressive photograph has about ten

#: Application segments that say what the pixels mean: kind of colours, orientation, profile.
OF_PIXELS = ((0xE0, b"JFIF\0"), (0xE1, b"Exif\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
ONCE = 0xE1  # Pillow would string several EXIF blocks together


def pixels_only(data: bytes) -> bytes:
    """Return a JPEG without comments and application data, which say nothing about its look.

    Raises:
        ValueError: it has more segments than any picture.
    """
    parts = [START]
    at, seen = len(START), False
    for _ in range(MAX_SEGMENTS):
        marker = MARKER.search(data, at)
        if marker is None:
            return b"".join(parts)
        kind = marker[1][0]
        if kind in ALONE:
            at = marker.end()
            continue
        if kind in (SCAN, END):
            return b"".join((*parts, data[marker.end() - 2 :]))
        stop = _stop(data, marker.end())
        body = data[marker.end() + LENGTH.size : stop]
        if _is_of_pixels(kind, body) and not (kind == ONCE and seen):
            parts.append(data[marker.end() - 2 : stop])
            seen = seen or kind == ONCE
        at = stop
    raise ValueError(f"more than {MAX_SEGMENTS} segments")


def scans(data: bytes) -> int:
    """Count how often a JPEG's data goes over the picture, at most one more than is bearable."""
    at, count = len(START), 0
    # Each scan may be preceded by a handful of tables.
    for _ in range(MAX_SEGMENTS):
        marker = (AFTER_DATA if count else MARKER).search(data, at)
        if marker is None or marker[1][0] == END or count > MAX_SCANS:
            return count
        kind = marker[1][0]
        count += kind == SCAN
        at = marker.end() if kind in ALONE else _stop(data, marker.end())
    return MAX_SCANS + 1


def _stop(data: bytes, at: int) -> int:
    """Tell where the segment ends whose length stands at `at`."""
    if at + LENGTH.size > len(data):
        return len(data)
    (length,) = LENGTH.unpack_from(data, at)
    return max(at + LENGTH.size, at + int(length))


def _is_of_pixels(kind: int, body: bytes) -> bool:
    if kind == COMMENT:
        return False
    if not 0xE0 <= kind <= 0xEF:
        return True
    return any(kind == own and body.startswith(start) for own, start in OF_PIXELS)
