"""JPEG files as the segments they consist of; nothing is decoded here.

Source: ITU-T T.81, annex B (https://www.w3.org/Graphics/JPEG/itu-t81.pdf).
"""

from __future__ import annotations

import re
import struct

JPEG_START = b"\xff\xd8"
LENGTH_FIELD = struct.Struct(">H")
COMMENT_MARKER, SCAN_MARKER, END_MARKER = 0xFE, 0xDA, 0xD9
BODILESS_MARKERS = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
"""Markers without a body."""

MARKER_PATTERN = re.compile(rb"\xff+([^\x00\xff])")
MARKER_AFTER_DATA_PATTERN = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
MAX_SEGMENTS = 10_000
MAX_SCANS = 500  # a progressive photograph has about ten

#: Application segments that say what the pixels mean: kind of colours, orientation, profile.
PIXEL_SEGMENTS = ((0xE0, b"JFIF\0"), (0xE1, b"Exif\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
EXIF_MARKER = 0xE1  # Pillow would string several EXIF blocks together


def strip_jpeg_metadata(data: bytes) -> bytes:
    """Return a JPEG without comments and application data, which say nothing about its look.

    Raises:
        ValueError: it has more segments than any picture.
    """
    parts = [JPEG_START]
    offset, has_exif = len(JPEG_START), False
    for _ in range(MAX_SEGMENTS):
        marker = MARKER_PATTERN.search(data, offset)
        if marker is None:
            return b"".join(parts)
        kind = marker[1][0]
        if kind in BODILESS_MARKERS:
            offset = marker.end()
            continue
        if kind in (SCAN_MARKER, END_MARKER):
            return b"".join((*parts, data[marker.end() - 2 :]))
        stop = _segment_end(data, marker.end())
        body = data[marker.end() + LENGTH_FIELD.size : stop]
        if _is_pixel_segment(kind, body) and not (kind == EXIF_MARKER and has_exif):
            parts.append(data[marker.end() - 2 : stop])
            has_exif = has_exif or kind == EXIF_MARKER
        offset = stop
    raise ValueError(f"more than {MAX_SEGMENTS} segments")


def count_scans(data: bytes) -> int:
    """Count how often a JPEG's data goes over the picture, at most one more than is bearable."""
    offset, count = len(JPEG_START), 0
    # Each scan may be preceded by a handful of tables.
    for _ in range(MAX_SEGMENTS):
        marker = (MARKER_AFTER_DATA_PATTERN if count else MARKER_PATTERN).search(data, offset)
        if marker is None or marker[1][0] == END_MARKER or count > MAX_SCANS:
            return count
        kind = marker[1][0]
        count += kind == SCAN_MARKER
        offset = marker.end() if kind in BODILESS_MARKERS else _segment_end(data, marker.end())
    return MAX_SCANS + 1


def _segment_end(data: bytes, offset: int) -> int:
    """Tell where the segment ends whose length stands at `at`."""
    if offset + LENGTH_FIELD.size > len(data):
        return len(data)
    (length,) = LENGTH_FIELD.unpack_from(data, offset)
    return max(offset + LENGTH_FIELD.size, offset + int(length))


def _is_pixel_segment(kind: int, body: bytes) -> bool:
    if kind == COMMENT_MARKER:
        return False
    if not 0xE0 <= kind <= 0xEF:
        return True
    return any(
        kind == segment_kind and body.startswith(start) for segment_kind, start in PIXEL_SEGMENTS
    )
