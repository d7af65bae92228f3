"""List the graphics cards that torch sees: `python -m inference.runtime.list_cards`, as JSON.

The bot asks by this process, since it imports no torch itself.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType

import torch


def list_cards() -> list[dict[str, str | int]]:
    """List the cards with their names and bytes of memory, NVIDIA's and AMD's before Intel's."""
    backends: dict[str, ModuleType] = {"cuda": torch.cuda, "xpu": torch.xpu}
    cards: list[dict[str, str | int]] = []
    for kind, backend in backends.items():
        count = backend.device_count() if backend.is_available() else 0
        for number in range(count):
            properties = backend.get_device_properties(number)
            cards.append(
                {
                    "device": f"{kind}:{number}",
                    "name": str(properties.name),
                    "memory_bytes": int(properties.total_memory),
                }
            )
    return cards


if __name__ == "__main__":
    json.dump(list_cards(), sys.stdout)
