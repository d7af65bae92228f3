"""What the bot and a decoder say to each other: frames of a JSON head and a body of bytes.

A head of the bot's names the work (`check` or `parameters`) and its bounds, the body is a
stranger's file. A head of the decoder's holds what was found; after a `check` that succeeded the
body is a PNG.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

LENGTHS = struct.Struct(">II")  # of the head and of the body, in bytes
MAX_HEAD = 1 << 20


class FrameError(Exception):
    """What came over the pipe is no frame, or the pipe ended within one."""


def write(stream: BinaryIO, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    packed = json.dumps(head).encode()
    stream.write(LENGTHS.pack(len(packed), len(body)))
    stream.write(packed)
    stream.write(body)
    stream.flush()


def read(stream: BinaryIO, max_body: int) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None where the stream ended before it.

    Raises:
        FrameError: it is none, breaks off, or has a body of more than `max_body` bytes.
    """
    start = stream.read(LENGTHS.size)
    if not start:
        return None
    if len(start) < LENGTHS.size:
        raise FrameError("a frame broke off")
    length, body_length = LENGTHS.unpack(start)
    if length > MAX_HEAD or body_length > max_body:
        raise FrameError(f"a frame of {length} and {body_length} bytes")
    packed, body = stream.read(length), stream.read(body_length)
    if len(packed) < length or len(body) < body_length:
        raise FrameError("a frame broke off")
    try:
        head = json.loads(packed)
    except (ValueError, RecursionError) as error:
        raise FrameError("a head that is no JSON") from error
    if not isinstance(head, dict):
        raise FrameError("a head that is no object")
    return head, body
