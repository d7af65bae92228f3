"""Graphics cards: counted by a child process, and shown to workers one each."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path

from inference.api.workers.environment import child_environment, module_command

log = logging.getLogger(__name__)

#: Asks torch, which neither the bot nor this module imports.
LIST_COMMAND = module_command("inference.runtime.list_cards")
#: Importing torch and waking several cards takes seconds, on a cold disk many.
LIST_TIMEOUT_SECONDS = 120.0  # seconds
#: Where Linux shows that there may be a card: NVIDIA's driver, ROCm's, the one of WSL, Intel's.
CARD_PATHS = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/kfd", "/dev/dxg", "/dev/dri")


@dataclass(frozen=True, kw_only=True)
class Card:
    """A graphics card that this process may use."""

    #: As torch calls it here: `cuda:1` (NVIDIA, and AMD through ROCm), `xpu:0`.
    device: str
    #: As its maker calls it.
    name: str
    #: Bytes of its memory.
    memory_bytes: int

    def __str__(self) -> str:
        return f"{self.device} ({self.name}, {self.memory_bytes / 2**30:.0f} GiB)"


async def list_cards() -> tuple[Card, ...] | None:
    """List the cards that workers may use, in torch's order; None where nobody can tell.

    A child process asks torch: what the host has hidden by a variable is not among them.
    """
    if not may_have_cards():
        return ()
    try:
        process = await asyncio.create_subprocess_exec(
            *LIST_COMMAND, stdout=PIPE, env=child_environment(os.environ)
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), LIST_TIMEOUT_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return tuple(Card(**card) for card in json.loads(output))
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        log.warning("The graphics cards cannot be counted: %r", error)
        return None


def may_have_cards() -> bool:
    """Say whether it is worth asking: torch takes seconds to answer."""
    if sys.platform == "linux":
        return any(Path(path).exists() for path in CARD_PATHS)
    return sys.platform != "darwin"  # whose one device has no number
