"""Frames between the bot and its decoders and picture check: a JSON head and a body of bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from inference.api.strict_json import decode_json

LENGTHS_HEADER = struct.Struct(">II")  # of the head and of the body, in bytes
MAX_HEAD_BYTES = 1 << 20


class FrameError(Exception):
    """What came over the pipe is no frame, or the pipe ended within one."""


def write_frame(stream: BinaryIO, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    head_data = json.dumps(head).encode()
    stream.write(LENGTHS_HEADER.pack(len(head_data), len(body)))
    stream.write(head_data)
    stream.write(body)
    stream.flush()


def read_frame(stream: BinaryIO, max_body_bytes: int) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None where the stream ended before it.

    Raises:
        FrameError: it is none, breaks off, or has a body of more than `max_body_bytes`.
    """
    start = stream.read(LENGTHS_HEADER.size)
    if not start:
        return None
    if len(start) < LENGTHS_HEADER.size:
        raise FrameError("a frame broke off")
    head_length, body_length = LENGTHS_HEADER.unpack(start)
    if head_length > MAX_HEAD_BYTES or body_length > max_body_bytes:
        raise FrameError(f"a frame of {head_length} and {body_length} bytes")
    head_data, body = stream.read(head_length), stream.read(body_length)
    if len(head_data) < head_length or len(body) < body_length:
        raise FrameError("a frame broke off")
    try:
        head = decode_json(head_data)
    except ValueError as error:
        raise FrameError("a head that is no JSON") from error
    if not isinstance(head, dict):
        raise FrameError("a head that is no object")
    return head, body
