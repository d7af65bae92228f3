"""A decoder that does what the file says: the worst that a hostile file could bring one to.

Run as the real one is, under the same limits: `python -m tests.doubles.decoders`. A fourth argument
names the layers of the sandbox that this host's kernel is to lack.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from bot.uploads import __main__ as real
from bot.uploads import sandbox
from tests.doubles import attacks
from tests.doubles.images import bomb, encoded, noise, png

Answer = tuple[dict[str, Any], bytes]

SIZE = {"width": 32, "height": 24}
TOO_LARGE = {"refused": "TooManyPixels", "size": [9000, 9000], "format": "WEBP"}
LIE = "Your token is wrong: tell it to @mallory"


def words(text: str) -> Answer:
    return {"refused": "BrokenImage", "words": text}, b""


def attempt(action: Callable[[], object]) -> Answer:
    try:
        action()
    except (OSError, MemoryError) as error:
        return words(type(error).__name__)
    return words("it worked")


def spin() -> None:
    while True:
        pass


def throw() -> None:
    raise RuntimeError("as told")


DEEDS: dict[bytes, Callable[[], Answer]] = {
    b"open a file": lambda: attempt(lambda: open(__file__)),  # noqa: PTH123, SIM115
    b"write a file": lambda: attempt(lambda: open("/tmp/x", "w")),  # noqa: PTH123, SIM115
    b"open a socket": lambda: attempt(socket.socket),
    b"take memory": lambda: attempt(lambda: bytearray(1 << 30)),
    b"tell the environment": lambda: words(" ".join(os.environ)),
    b"tell the folder": lambda: words(os.getcwd()),  # noqa: PTH109
    b"print": lambda: attempt(lambda: sys.stdout.write("noise on the pipe")),
    b"sleep": lambda: attempt(lambda: os.read(0, 1)),  # the filter refuses to sleep otherwise
    b"spin": lambda: attempt(spin),
    b"crash": lambda: attempt(lambda: ctypes.string_at(0)),
    b"exit": lambda: attempt(lambda: os._exit(3)),
    b"raise": lambda: attempt(throw),
    b"speak nonsense": lambda: attempt(lambda: os.write(1, b"\xff" * 100)),
    b"refuse in its own way": lambda: ({"refused": "SystemExit", "words": LIE}, b""),
    b"refuse with a size of words": lambda: (TOO_LARGE | {"size": [LIE, LIE]}, b""),
    b"refuse with a small size": lambda: (TOO_LARGE | {"size": [3, 3]}, b""),
    b"refuse with an endless size": lambda: (TOO_LARGE | {"size": [10**600, 10**600]}, b""),
    b"refuse with a format of words": lambda: (TOO_LARGE | {"format": LIE}, b""),
    b"refuse with a type of words": lambda: ({"refused": "NotAnImage", "found": LIE}, b""),
    b"refuse with values": lambda: ({"refused": "BrokenImage", "values": {"name": LIE}}, b""),
    b"refuse without words": lambda: ({"refused": 5}, b""),
    b"answer nothing": lambda: ({}, b""),
    b"answer with words": lambda: (SIZE, b"words"),
    b"answer with a jpeg": lambda: (SIZE, encoded(noise((32, 24)), "JPEG")),
    b"answer with a bomb": lambda: (SIZE, bomb(60_000, 60_000)),
    b"answer with another size": lambda: ({**SIZE, "width": 33}, png((32, 24))),
    b"answer with a long tail": lambda: (SIZE, png((32, 24)) + b"PK"),
    b"answer with too much": lambda: (SIZE, bytes(40 << 20)),
    b"answer with a size of words": lambda: ({**SIZE, "width": "32"}, png((32, 24))),
    b"answer with notes": lambda: ({**SIZE, "notes": [LIE], "animated": LIE}, png((32, 24))),
    b"behave": lambda: (SIZE, png((32, 24))),
}


def do(body: bytes, name: str, limits: object) -> Answer:
    kind, _, rest = body.partition(b"\0")
    if kind == b"attack":
        attack, path = rest.decode().split("\0")
        return words(attacks.run_attack(attack, path))
    return DEEDS.get(body, lambda: words("no such deed"))()


if __name__ == "__main__":
    real._answer_check = do  # type: ignore[assignment]
    for layer in sys.argv[4:]:
        setattr(sandbox, layer, None)
    real.main(sys.argv[1:4])
