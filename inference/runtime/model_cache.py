"""What stays loaded: models up to a number of bytes, the longest unused leave first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from inference.runtime.memory import release_memory

Model = TypeVar("Model")
Sizer = Callable[[Any], int]


class ModelCache(Generic[Model]):
    """Loaded models by key, within a budget in bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget  # bytes
        self._entries: OrderedDict[Hashable, tuple[Model, int]] = OrderedDict()
        #: Bytes of everything that was ever held.
        self._sizes: dict[Hashable, int] = {}
        #: How often one was loaded, and how often one had to leave.
        self.loads = self.evictions = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of everything held."""
        return sum(size for _, size in self._entries.values())

    def get(self, key: Hashable) -> Model | None:
        """Look a model up, and count it as used."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def fitting_keys(
        self, requested_keys: Sequence[Hashable], guess: Callable[[Hashable], int]
    ) -> set[Hashable]:
        """Say which models can be held together: those held now, then the first named.

        `guess` gives the bytes of one that was never loaded. One alone always fits.
        """
        new = [key for key in requested_keys if key not in self._entries]
        kept_keys = {key for key in requested_keys if key in self._entries}
        free_bytes = self.budget - sum(self._entries[key][1] for key in kept_keys)
        for key in new:
            size = self._sizes[key] if key in self._sizes else guess(key)
            if size <= free_bytes or not kept_keys:
                kept_keys.add(key)
                free_bytes -= size
        return kept_keys

    def load_model(
        self,
        key: Hashable,
        expected_bytes: int,
        make: Callable[[], Model],
        size: Sizer,
        *,
        partner: Hashable = None,
    ) -> Model:
        """Make a model after making room for it: before, so that both never stand at once.

        `expected` is a guess of its bytes, `size` counts them afterwards. One model is held even
        when it alone is beyond the budget, and so is the `partner` beside which it is to work.
        """
        self.evict_down_to(self.budget - expected_bytes, partner)
        model = make()
        self.loads += 1
        self._sizes[key] = size(model)
        self._entries[key] = (model, self._sizes[key])
        self.evict_down_to(self.budget, key, partner)
        return model

    def evict_down_to(self, limit: int, *keep: Hashable) -> bool:
        """Let go of the longest unused until what is held fits `limit` bytes; say if any left."""
        evictable_keys = [key for key in self._entries if key not in keep]
        has_evicted = False
        while evictable_keys and self.held_bytes > limit:
            del self._entries[evictable_keys.pop(0)]
            self.evictions += 1
            has_evicted = True
        if has_evicted:
            release_memory()
        return has_evicted

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
