"""A GIF's blocks, as the GIF89a specification lays them out; nothing is decoded."""

from __future__ import annotations

GIF_STARTS = (b"GIF87a", b"GIF89a")
EXTENSION, COMMENT, IMAGE, TRAILER = 0x21, 0xFE, 0x2C, b";"
#: What of all comments is kept, in bytes with their lengths; the longest parameters are shorter.
MAX_COMMENT_BYTES = 1 << 16
#: Extensions and frames that are read; what lies beyond is cut off.
MAX_BLOCKS = 100_000
HEADER_BYTES = 13
DESCRIPTOR_BYTES = 10


def shorten_gif_comments(data: bytes) -> bytes:
    """Return a GIF of at most `MAX_BLOCKS`, its comments in `MAX_COMMENT_BYTES` together.

    Pillow joins comments, and version 12 the pieces of each, one by one, in time by the square of
    their length, and goes through all blocks one by one. Files of other formats come back as they
    are; what is broken is left to the decoder.
    """
    if not data.startswith(GIF_STARTS) or len(data) < HEADER_BYTES:
        return data
    pieces: list[bytes] = []
    room_bytes = MAX_COMMENT_BYTES
    kept_to, place = 0, HEADER_BYTES + _color_table_bytes(data[HEADER_BYTES - 3])
    block_count = 0
    while place + DESCRIPTOR_BYTES < len(data):
        block_count += 1
        if block_count > MAX_BLOCKS:
            return b"".join([*pieces, data[kept_to:place], TRAILER])
        if data[place] == IMAGE:
            table_bytes = _color_table_bytes(data[place + DESCRIPTOR_BYTES - 1])
            place = _find_end(data, place + DESCRIPTOR_BYTES + table_bytes + 1) + 1
        elif data[place] == EXTENSION:
            begin, is_comment = place, data[place + 1] == COMMENT
            place = _find_end(data, begin + 2) + 1
            if is_comment and place - begin > room_bytes:
                end = _find_end(data, begin + 2, room_bytes)
                if end > begin + 2:
                    pieces += [data[kept_to:end], b"\0"]
                elif kept_to < begin:
                    pieces.append(data[kept_to:begin])
                kept_to, room_bytes = place, 0
            elif is_comment:
                room_bytes -= place - begin
        else:
            break
    return b"".join([*pieces, data[kept_to:]]) if pieces else data


def _color_table_bytes(packed_fields: int) -> int:
    return 3 << (packed_fields & 7) + 1 if packed_fields & 0x80 else 0


def _find_end(data: bytes, begin: int, most: int | None = None) -> int:
    """Return where the sub-blocks end that begin there, or before the one that is beyond `most`."""
    place, limit = begin, len(data) if most is None else min(len(data), begin + most - 256)
    while place < limit and data[place]:
        place += data[place] + 1
    return place
