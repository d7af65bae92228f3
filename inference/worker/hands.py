"""Who does the slices of each lane."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from inference.engine.runner import Hand
from inference.models.library import Library
from inference.operations.interrogate import LANE as INTERROGATE
from inference.operations.interrogate import perform
from inference.operations.segments import LANE as SEGMENT
from inference.operations.segments import perform as find
from inference.operations.upscale import LANE as UPSCALE


def make_hands(library: Library) -> Mapping[str, Hand]:
    """Bind each lane's hand to the models at hand."""

    def upscale(lane: Hashable, tiles: Sequence[Any]) -> Sequence[object]:
        """Enlarge tiles of one network and one shape in one call."""
        key = lane[1] if isinstance(lane, tuple) else lane
        return library.upscaler(str(key)).work(tiles)

    def interrogate(lane: Hashable, pictures: Sequence[Any]) -> Sequence[object]:
        """Describe RGB pictures in one call."""
        return perform(lane, list(pictures), library.describers)

    def segment(lane: Hashable, pictures: Sequence[Any]) -> Sequence[object]:
        """Mark one thing in RGB pictures."""
        return find(lane, pictures, library.segmenters)

    return {UPSCALE: upscale, INTERROGATE: interrogate, SEGMENT: segment}
