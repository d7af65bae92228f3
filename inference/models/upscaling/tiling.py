"""How pictures are best cut for one network on one device: found by running a few tiles.

A larger tile wastes less on the context around it, until caches or memory are too small for it; and
the longer a call, the longer everybody else's next step waits. Tiles together pay on a graphics
card and mostly not on a processor. Nobody knows the numbers beforehand, so they are measured.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

#: Sides in pixels that a network may see of a larger picture. A processor gets the first ones: the
#: layers over more would not fit beside others' work.
SIDES = (128, 192, 256, 384, 512)
PROCESSOR_SIDES = SIDES[:3]
#: Before anything is measured.
DEFAULT_SIDE = 256
DEFAULT_PIXELS = 4 * DEFAULT_SIDE**2
#: Tiles of one call at most.
MOST = 8
#: Seconds that the runs for one network may take in all, but for the last of them.
BUDGET = 10.0
#: A call of so many seconds must be twice as cheap a pixel as one that takes no time.
PATIENCE = 10.0
#: What is more trouble (more tiles a call, a compiler) must take at most this share of the time.
GAIN = 0.95


@dataclass(frozen=True)
class Tiling:
    """How pictures are cut."""

    side: int = DEFAULT_SIDE
    """Pixels a side that the network sees of a larger picture."""
    pixels: int = DEFAULT_PIXELS
    """Pixels of all tiles that share a call."""
    compiled: bool = False
    """Whether the network is compiled for full calls of full tiles."""

    def together(self, height: int, width: int) -> int:
        """Say how many tiles of a size share a call, at least one."""
        return max(1, min(MOST, self.pixels // (height * width)))


@dataclass(frozen=True)
class Trial:
    """A call to be timed."""

    side: int
    count: int = 1
    compiled: bool = False


#: Yields calls and is sent their seconds, or None for one that did not fit into memory.
Search = Generator[Trial, float | None, Tiling]


def search(sides: Sequence[int], overlap: int, *, compiles: bool = False) -> Search:
    """Find the best tiling among `sides`, ascending, with `overlap` pixels of context around."""
    # What comes first sets things up; its time says nothing about the others.
    spent = (yield Trial(sides[0])) or 0.0
    times: dict[int, float] = {}
    for side in sides:
        if times:
            last = max(times)
            guess = times[last] * (side / last) ** 2
            if spent + guess > BUDGET:
                times[side] = guess
                continue
        seconds = yield Trial(side)
        if seconds is None:
            break
        spent += seconds
        times[side] = seconds
    if not times:
        return Tiling(sides[0], pixels=1)
    side = min(times, key=lambda side: _cost(times[side], side, overlap))
    count = yield from _count(sides[0], times[sides[0]], BUDGET - spent)
    tiling = Tiling(side, count * sides[0] ** 2 if count > 1 else 1)
    if compiles:
        tiling = yield from _compiled(tiling)
    return tiling


def _cost(seconds: float, side: int, overlap: int) -> float:
    """Weigh a call: its seconds for each pixel that is new, more where others wait for it."""
    return seconds / (side - 2 * overlap) ** 2 * (1 + seconds / PATIENCE)


def _count(side: int, alone: float, left: float) -> Generator[Trial, float | None, int]:
    """Double the tiles of a call as long as each gets cheaper by it."""
    count, seconds = 1, alone
    while count < MOST and 2 * seconds <= left:
        found = yield Trial(side, 2 * count)
        if found is None or found > GAIN * 2 * seconds:
            break
        count, seconds, left = 2 * count, found, left - found
    return count


def _compiled(tiling: Tiling) -> Search:
    """Compare the network's own way with the compiled one; the latter's first call compiles it."""
    side, count = tiling.side, tiling.together(tiling.side, tiling.side)
    plain = yield Trial(side, count)
    yield Trial(side, count, compiled=True)
    fast = yield Trial(side, count, compiled=True)
    pays = plain is not None and fast is not None and fast <= GAIN * plain
    return Tiling(side, tiling.pixels, compiled=pays)
