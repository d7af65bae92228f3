"""What stays loaded: models up to a number of bytes, the longest unused leave first."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

Model = TypeVar("Model")

#: Share of a graphics card's memory that weights may fill; the rest is for working.
DEVICE_SHARE = 0.7
#: Share of the machine's memory that weights may fill where the processor runs them.
HOST_SHARE = 0.5
#: Where the machine's memory cannot be asked.
FALLBACK_MEMORY_BYTES = 4 * 2**30


Sizer = Callable[[Any], int]


class ModelCache(Generic[Model]):
    """Loaded models by key, within a budget in bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget  # bytes
        self._held: OrderedDict[Hashable, tuple[Model, int]] = OrderedDict()
        #: Bytes of everything that was ever held.
        self._sizes: dict[Hashable, int] = {}
        #: How often one was loaded, and how often one had to leave.
        self.loads = self.evictions = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of everything held."""
        return sum(size for _, size in self._held.values())

    def get(self, key: Hashable) -> Model | None:
        """Look a model up, and count it as used."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def fitting_keys(
        self, requested_keys: Sequence[Hashable], guess: Callable[[Hashable], int]
    ) -> set[Hashable]:
        """Say which models can be held together: those held now, then the first named.

        `guess` gives the bytes of one that was never loaded. One alone always fits.
        """
        new = [key for key in requested_keys if key not in self._held]
        kept_keys = {key for key in requested_keys if key in self._held}
        free_bytes = self.budget - sum(self._held[key][1] for key in kept_keys)
        for key in new:
            size = self._sizes[key] if key in self._sizes else guess(key)
            if size <= free_bytes or not kept_keys:
                kept_keys.add(key)
                free_bytes -= size
        return kept_keys

    def load_model(
        self, key: Hashable, expected_bytes: int, make: Callable[[], Model], size: Sizer
    ) -> Model:
        """Make a model after making room for it: before, so that both never stand at once.

        `expected` is a guess of its bytes, `size` counts them afterwards. One model is held even
        when it alone is beyond the budget.
        """
        self.evict_down_to(self.budget - expected_bytes)
        model = make()
        self.loads += 1
        self._sizes[key] = size(model)
        self._held[key] = (model, self._sizes[key])
        self.evict_down_to(self.budget, keep=key)
        return model

    def evict_down_to(self, limit: int, keep: Hashable = None) -> bool:
        """Let go of the longest unused until what is held fits `limit` bytes; say if any left."""
        evictable_keys = [key for key in self._held if key != keep]
        has_evicted = False
        while evictable_keys and self.held_bytes > limit:
            del self._held[evictable_keys.pop(0)]
            self.evictions += 1
            has_evicted = True
        if has_evicted:
            release_memory()
        return has_evicted

    def drop_model(self, key: Hashable) -> None:
        """Let go of one model."""
        if self._held.pop(key, None) is not None:
            release_memory()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._held))

    def __len__(self) -> int:
        return len(self._held)


def release_memory() -> None:
    """Give back memory that nothing refers to any more; modules refer to themselves in rings."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def weight_bytes(*modules: Any) -> int:
    """Count the bytes of modules' weights and buffers."""
    tensors = (tensor for module in modules for tensor in (*module.parameters(), *module.buffers()))
    return sum(tensor.nbytes for tensor in tensors)


def folder_bytes(folder: Path) -> int:
    """Count the bytes of a folder's weight files: about what they take once loaded."""
    kinds = (".safetensors", ".onnx")
    return sum(path.stat().st_size for path in folder.glob("*") if path.suffix in kinds)


def default_budget(device: torch.device) -> int:
    """Choose how many bytes of weights may stay, by the memory of the device."""
    if device.type == "cuda":
        _, total = torch.cuda.mem_get_info(device)
        return int(total * DEVICE_SHARE)
    return int(_host_memory() * HOST_SHARE)


def _host_memory() -> int:
    """Read the machine's memory in bytes, or its container's where that is less."""
    limits = [FALLBACK_MEMORY_BYTES]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
        container = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if container.isdigit():
            limits.append(int(container))
    except (OSError, ValueError):
        pass
    return min(limits or [FALLBACK_MEMORY_BYTES])
