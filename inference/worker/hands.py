"""Who does the slices of each lane."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from inference.engine.runner import Hand
from inference.models.library import Library
from inference.operations.interrogate import LANE as INTERROGATE
from inference.operations.interrogate import perform
from inference.operations.segments import LANE as SEGMENT
from inference.operations.segments import perform as find
from inference.operations.slices import LANE as UPSCALE
from inference.operations.slices import TUNE


def make_hands(library: Library) -> Mapping[str, Hand]:
    """Bind each lane's hand to the models at hand."""

    def upscale(lane: Hashable, tiles: Sequence[Any]) -> Sequence[object]:
        """Enlarge tiles of one network and one shape in one call."""
        key = lane[1] if isinstance(lane, tuple) else lane
        return library.upscalers.get(str(key)).work(tiles)

    def tune(lane: Hashable, names: Sequence[Any]) -> Sequence[object]:
        """Time one more call of an upscaler, for all that wait for that."""
        library.upscalers.tune(str(names[0]))
        return [None] * len(names)

    def interrogate(lane: Hashable, pictures: Sequence[Any]) -> Sequence[object]:
        """Describe RGB pictures in one call."""
        return perform(lane, list(pictures), library.describers)

    def segment(lane: Hashable, pictures: Sequence[Any]) -> Sequence[object]:
        """Mark one thing in RGB pictures."""
        return find(lane, pictures, library.segmenters)

    return {UPSCALE: upscale, TUNE: tune, INTERROGATE: interrogate, SEGMENT: segment}


def tile_rule(library: Library) -> Mapping[str, Callable[[Hashable], int]]:
    """Let each upscaler's tiling say how many of its tiles share a call."""

    def tiles(lane: Hashable) -> int:
        match lane:
            case (_, str(key), ((_, int(height), int(width)), *_)):
                return library.upscalers.together(key, height, width)
            case _:
                return 1

    return {UPSCALE: tiles}
