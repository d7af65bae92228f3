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
CANDIDATE_SIDES = (128, 192, 256, 384, 512)
PROCESSOR_SIDES = CANDIDATE_SIDES[:3]
#: Before anything is measured.
DEFAULT_SIDE = 256
DEFAULT_PIXELS = 4 * DEFAULT_SIDE**2
#: Tiles of one call at most.
MAX_CALL_TILES = 8
#: Seconds that the runs for one network may take in all, but for the last of them.
SEARCH_BUDGET_SECONDS = 10.0
#: A call of so many seconds must be twice as cheap a pixel as one that takes no time.
WAIT_PENALTY_SECONDS = 10.0
#: What is more trouble (more tiles a call, a compiler) must take at most this share of the time.
MAX_TIME_SHARE = 0.95


@dataclass(frozen=True)
class TileConfig:
    """How pictures are cut."""

    side: int = DEFAULT_SIDE
    """Pixels a side that the network sees of a larger picture."""
    pixels: int = DEFAULT_PIXELS
    """Pixels of all tiles that share a call."""
    compiled: bool = False
    """Whether the network is compiled for full calls of full tiles."""

    def tiles_per_call(self, height: int, width: int) -> int:
        """Say how many tiles of a size share a call, at least one."""
        return max(1, min(MAX_CALL_TILES, self.pixels // (height * width)))


@dataclass(frozen=True)
class TimingTrial:
    """A call to be timed."""

    side: int
    count: int = 1
    compiled: bool = False


#: Yields calls and is sent their seconds, or None for one that did not fit into memory.
Search = Generator[TimingTrial, float | None, TileConfig]


def search_tile_config(sides: Sequence[int], overlap: int, *, compiles: bool = False) -> Search:
    """Find the best tiling among `sides`, ascending, with `overlap` pixels of context around."""
    # What comes first sets things up; its time says nothing about the others.
    spent = (yield TimingTrial(sides[0])) or 0.0
    times: dict[int, float] = {}
    for side in sides:
        if times:
            last = max(times)
            guess = times[last] * (side / last) ** 2
            if spent + guess > SEARCH_BUDGET_SECONDS:
                times[side] = guess
                continue
        seconds = yield TimingTrial(side)
        if seconds is None:
            break
        spent += seconds
        times[side] = seconds
    if not times:
        return TileConfig(sides[0], pixels=1)
    side = min(times, key=lambda side: _pixel_cost(times[side], side, overlap))
    count = yield from _search_tile_count(sides[0], times[sides[0]], SEARCH_BUDGET_SECONDS - spent)
    tiling = TileConfig(side, count * sides[0] ** 2 if count > 1 else 1)
    if compiles:
        tiling = yield from _search_compiled(tiling)
    return tiling


def _pixel_cost(seconds: float, side: int, overlap: int) -> float:
    """Weigh a call: its seconds for each pixel that is new, more where others wait for it."""
    return seconds / (side - 2 * overlap) ** 2 * (1 + seconds / WAIT_PENALTY_SECONDS)


def _search_tile_count(
    side: int, single_seconds: float, seconds_left: float
) -> Generator[TimingTrial, float | None, int]:
    """Double the tiles of a call as long as each gets cheaper by it."""
    count, seconds = 1, single_seconds
    while count < MAX_CALL_TILES and 2 * seconds <= seconds_left:
        trial_seconds = yield TimingTrial(side, 2 * count)
        if trial_seconds is None or trial_seconds > MAX_TIME_SHARE * 2 * seconds:
            break
        count, seconds, seconds_left = 2 * count, trial_seconds, seconds_left - trial_seconds
    return count


def _search_compiled(tiling: TileConfig) -> Search:
    """Compare the network's own way with the compiled one; the latter's first call compiles it."""
    side, count = tiling.side, tiling.tiles_per_call(tiling.side, tiling.side)
    plain = yield TimingTrial(side, count)
    yield TimingTrial(side, count, compiled=True)
    fast = yield TimingTrial(side, count, compiled=True)
    pays = plain is not None and fast is not None and fast <= MAX_TIME_SHARE * plain
    return TileConfig(side, tiling.pixels, compiled=pays)
