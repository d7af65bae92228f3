"""Frames between the bot and a worker: length, then one JSON object; never a pickle.

A frame is four bytes of length (big-endian) and that many bytes of UTF-8 JSON, `{"type": …}` plus
the fields of a frozen dataclass. Pictures never travel here: they lie in files and are named.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import types
import typing
from collections.abc import Mapping
from typing import Any, BinaryIO

from inference.api import commands, messages
from inference.api.config import EngineConfig
from inference.api.errors import WireError
from inference.api.notices import Notice
from inference.api.strict_json import decode_json

FRAME_HEADER = struct.Struct(">I")
#: No message of ours comes near this; a longer one is noise on the pipe.
MAX_FRAME_BYTES = 8 * 1024 * 1024

Message = commands.Command | messages.Event

MESSAGE_TYPES: Mapping[str, type] = {
    message.__name__: message for message in typing.get_args(Message) if isinstance(message, type)
}
#: What an integer column of the store holds; a seed may be larger.
MAX_COUNT = 2**63 - 1


def encode_message(message: Message) -> bytes:
    """Write a message as one frame.

    Raises:
        WireError: it is too large.
    """
    fields = {"type": type(message).__name__, **dataclasses.asdict(message)}
    # Letters as themselves: an escape takes six bytes, and half a surrogate pair is told, too.
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    body = text.encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME_BYTES:
        raise WireError(f"A {type(message).__name__} of {len(body)} bytes is over the limit.")
    return FRAME_HEADER.pack(len(body)) + body


def decode_message(body: bytes) -> Message:
    """Read a message from a frame's body.

    Raises:
        WireError: the bytes are not a message of ours.
    """
    try:
        fields = decode_json(body)
        message_type = MESSAGE_TYPES[fields.pop("type")]
        return typing.cast(Message, _build_message(message_type, fields))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"Not a message: {body[:80]!r} ({error!r})") from error


def read_frame_length(header: bytes) -> int:
    """Read a frame's length from its header.

    Raises:
        WireError: the length is beyond anything we send.
    """
    (length,) = FRAME_HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise WireError(f"A frame of {length} bytes: something else wrote on this pipe.")
    return int(length)


def read_message(stream: BinaryIO) -> Message | None:
    """Read one message from a blocking stream, buffered or not; None at its end."""
    header = _read_exactly(stream, FRAME_HEADER.size)
    if header is None:
        return None
    body = _read_exactly(stream, read_frame_length(header))
    return None if body is None else decode_message(body)


def write_message(stream: BinaryIO, message: Message) -> None:
    """Write one message to a blocking stream."""
    stream.write(encode_message(message))
    stream.flush()


def _read_exactly(stream: BinaryIO, count: int) -> bytes | None:
    """Read that many bytes, or None where the stream ends before."""
    parts = bytearray()
    while len(parts) < count:
        part = stream.read(count - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _build_message(message_type: type, fields: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(message_type)
    unknown = set(fields) - set(hints)
    if unknown:
        raise KeyError(f"{message_type.__name__} has no field {', '.join(sorted(unknown))}")
    return message_type(
        **{name: _convert_value(hints[name], value) for name, value in fields.items()}
    )


def _convert_value(hint: Any, value: Any) -> Any:
    """Turn a JSON value into what the field's type says, and refuse any other.

    Raises:
        TypeError: it is of another type.
    """
    if hint is Any:
        return value
    if hint is Notice:
        return Notice.from_json(value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build_message(hint, value)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        if not any(_is_of_type(kind, value) for kind in inner):
            raise TypeError(f"{value!r} is no {hint}")
        return value
    if not _is_of_type(origin or hint, value) or (hint is int and abs(value) > MAX_COUNT):
        raise TypeError(f"{value!r} is no {hint}")
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_convert_value(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is Mapping:
        return {name: _convert_value(inner[1], item) for name, item in value.items()}
    return float(value) if hint is float else value


def _is_of_type(kind: Any, value: Any) -> bool:
    """Say whether a JSON value can stand for a plain type: a whole number for a float, too."""
    json_types: Mapping[Any, Any] = {float: (int, float), tuple: list, Mapping: dict}
    return isinstance(value, json_types.get(kind, kind)) and (
        kind is bool or not isinstance(value, bool)
    )


__all__ = [
    "EngineConfig",
    "Message",
    "decode_message",
    "encode_message",
    "read_frame_length",
    "read_message",
    "write_message",
]
