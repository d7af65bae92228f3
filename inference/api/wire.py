"""Frames between the bot and a worker: length, then one JSON object; never a pickle.

A frame is four bytes of length (big-endian) and that many bytes of UTF-8 JSON, `{"type": …}` plus
the fields of a frozen dataclass. Pictures never travel here: they lie in files and are named.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import struct
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from inference.api import commands, messages
from inference.api.config import EngineConfig
from inference.api.errors import WireError
from inference.api.notices import Notice
from inference.api.strict_json import decode_json

FRAME_HEADER = struct.Struct(">I")
#: No message of ours comes near this; a longer one is noise on the pipe.
MAX_FRAME_BYTES = 8 * 1024 * 1024

Message = commands.Command | messages.Event | commands.LinkCommand | messages.LinkEvent

MESSAGE_TYPES: Mapping[str, type] = {
    message.__name__: message for message in typing.get_args(Message) if isinstance(message, type)
}
#: Which JSON types stand for a plain type where it is not itself: a whole number for a float, too.
JSON_TYPES: Mapping[Any, tuple[type, ...]] = {float: (int, float), tuple: (list,), Mapping: (dict,)}
#: Turns a JSON value into a field's value.
ValueReader = Callable[[Any], Any]
#: What an integer column of the store holds; a seed may be larger.
MAX_COUNT = 2**63 - 1


def encode_message(message: Message) -> bytes:
    """Write a message as one frame.

    Raises:
        WireError: it is too large.
    """
    fields = to_fields(message)
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
        return _read_fields(decode_json(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"Not a message: {body[:80]!r} ({error!r})") from error


def to_fields(message: Message) -> dict[str, Any]:
    """Write a message as what goes into JSON: into a frame, or into another message."""
    return {"type": type(message).__name__, **dataclasses.asdict(message)}


def from_fields(fields: Mapping[str, Any]) -> Message:
    """Read a message that `to_fields` wrote.

    Raises:
        WireError: it is none of ours.
    """
    try:
        return _read_fields(dict(fields))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"Not a message: {str(fields)[:80]!r} ({error!r})") from error


@functools.cache
def compute_digest() -> str:
    """Compute what is the same where two programs understand each other's messages: 12 digits."""
    described: dict[type, str] = {}
    open_types: list[Any] = list(MESSAGE_TYPES.values())
    while open_types:
        kind = open_types.pop()
        open_types += typing.get_args(kind)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind not in described:
            hints = typing.get_type_hints(kind)
            described[kind] = f"{kind.__name__} {sorted((n, str(h)) for n, h in hints.items())}"
            open_types += hints.values()
    return hashlib.sha256("\n".join(sorted(described.values())).encode()).hexdigest()[:12]


def _read_fields(fields: dict[str, Any]) -> Message:
    message_type = MESSAGE_TYPES[fields.pop("type")]
    return typing.cast(Message, _build_message(message_type, fields))


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
    readers = _read_field_types(message_type)
    if not fields.keys() <= readers.keys():
        unknown = sorted(fields.keys() - readers.keys())
        raise KeyError(f"{message_type.__name__} has no field {', '.join(unknown)}")
    return message_type(**{name: readers[name](value) for name, value in fields.items()})


@functools.cache
def _read_field_types(message_type: type) -> Mapping[str, ValueReader]:
    """Say how each field of a message is read; its type hints are looked at this once."""
    hints = typing.get_type_hints(message_type)
    return {name: _make_reader(hint) for name, hint in hints.items()}


def _make_reader(hint: Any) -> ValueReader:
    """Make what turns a JSON value into what a type says, and raises TypeError at any other."""
    if hint is Any:
        return _read_anything
    if hint is Notice:
        return Notice.from_json
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return functools.partial(_build_message, hint)
    check_value = _make_type_check(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is float:
        return lambda value: float(check_value(value))
    if origin is tuple:
        return _make_tuple_reader(check_value, inner)
    if origin is Mapping and inner[1] is not Any:
        read_item = _make_reader(inner[1])
        return lambda value: {name: read_item(item) for name, item in check_value(value).items()}
    return check_value


def _make_tuple_reader(check_value: ValueReader, inner: tuple[Any, ...]) -> ValueReader:
    if inner[-1] is Ellipsis:
        read_item = _make_reader(inner[0])
        return lambda value: tuple(map(read_item, check_value(value)))
    readers = tuple(_make_reader(kind) for kind in inner)
    return lambda value: tuple(
        read_item(item) for read_item, item in zip(readers, check_value(value), strict=True)
    )


def _make_type_check(hint: Any) -> ValueReader:
    """Make what gives a value on that is of the JSON types which can stand for a type."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    json_types = frozenset(
        json_type
        for kind in kinds
        for json_type in JSON_TYPES.get(typing.get_origin(kind) or kind, (kind,))
    )

    def check_value(value: Any) -> Any:
        if type(value) not in json_types:
            raise TypeError(f"{value!r} is no {hint}")
        return value

    def check_count(value: Any) -> Any:
        if type(value) is not int or abs(value) > MAX_COUNT:
            raise TypeError(f"{value!r} is no {hint}")
        return value

    return check_count if hint is int else check_value


def _read_anything(value: Any) -> Any:
    return value


__all__ = [
    "EngineConfig",
    "Message",
    "decode_message",
    "encode_message",
    "read_frame_length",
    "read_message",
    "write_message",
]
