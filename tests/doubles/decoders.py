"""A decoder that does what the file says: the worst that a hostile file could bring one to.

Run as the real one is, under the same limits: `python -m tests.doubles.decoders`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from bot.uploads import __main__ as real
from tests.doubles.images import bomb, encoded, noise, png

Answer = tuple[dict[str, Any], bytes]

SIZE = {"width": 32, "height": 24, "notes": []}


def words(text: str) -> Answer:
    return {"refused": "BrokenPicture", "words": text}, b""


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
    b"sleep": lambda: attempt(lambda: time.sleep(3600)),
    b"spin": lambda: attempt(spin),
    b"crash": lambda: attempt(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    b"exit": lambda: attempt(lambda: os._exit(3)),
    b"raise": lambda: attempt(throw),
    b"speak nonsense": lambda: attempt(lambda: os.write(1, b"\xff" * 100)),
    b"refuse in its own way": lambda: ({"refused": "SystemExit", "words": "x" * 9000}, b""),
    b"refuse without words": lambda: ({"refused": 5}, b""),
    b"answer nothing": lambda: ({}, b""),
    b"answer with words": lambda: (SIZE, b"words"),
    b"answer with a jpeg": lambda: (SIZE, encoded(noise((32, 24)), "JPEG")),
    b"answer with a bomb": lambda: (SIZE, bomb(60_000, 60_000)),
    b"answer with another size": lambda: ({**SIZE, "width": 33}, png((32, 24))),
    b"answer with a long tail": lambda: (SIZE, png((32, 24)) + b"PK"),
    b"answer with too much": lambda: (SIZE, bytes(40 << 20)),
    b"answer with a size of words": lambda: ({**SIZE, "width": "32"}, png((32, 24))),
    b"answer with notes of numbers": lambda: ({**SIZE, "notes": 5}, png((32, 24))),
    b"behave": lambda: (SIZE, png((32, 24))),
}


def do(body: bytes, name: str, limits: object) -> Answer:
    return DEEDS.get(body, lambda: words("no such deed"))()


if __name__ == "__main__":
    real._answer_check = do  # type: ignore[assignment]
    real.main(sys.argv[1:])
