"""How many rows a network call should have: measured from the calls themselves, no tensor in it.

More rows a call are more pictures a second only until the device is busy; from there on every
further row makes all of them wait longer. A small network on a large card gains up to the most
rows that are allowed, a large one may gain nothing from the second on. So the time of a call is
learnt for every key and number of rows, and of the sizes that are nearly as fast as the fastest
the one is taken with which those who wait have their pictures soonest on average.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

#: A size must reach this share of the best one's rows a second: with a long queue speed is all.
NEARLY = 0.9
#: Calls of one size that are remembered; the least of them counts, since disturbances only add.
MEMORY = 8
#: Keys that are remembered; the oldest is forgotten, and learnt again if it comes again.
MOST = 1024


class Pace:
    """Times of network calls by key and number of rows."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, dict[int, deque[float]]] = {}

    def note(self, key: Hashable, rows: int, seconds: float) -> None:
        """Remember what a call took; the first of a size is left out, since devices warm up."""
        known = self._seconds.setdefault(key, {})
        if len(self._seconds) > MOST:
            self._seconds.pop(next(iter(self._seconds)))
        if rows in known:
            known[rows].append(seconds)
        else:
            known[rows] = deque(maxlen=MEMORY)

    def best(self, key: Hashable, waiting: int, most: int) -> int:
        """Choose how many of the waiting rows the next call should have, at most `most`."""
        sizes = range(1, min(waiting, most) + 1)
        learnt = self._seconds.get(key, {})
        known = {rows: min(times) for rows, times in learnt.items() if times}
        if not known or len(sizes) < 2:
            return len(sizes)
        speeds = {rows: rows / _expected(known, rows) for rows in sizes}
        enough = NEARLY * max(speeds.values())
        return min(
            (rows for rows in sizes if speeds[rows] >= enough),
            key=lambda rows: (_mean_end(known, rows, waiting), -rows),
        )


def _expected(known: dict[int, float], rows: int) -> float:
    """Tell how long a call takes, between measured sizes by a straight line.

    Outside of them it is taken for as short as it can be, so that it is tried and then known:
    no shorter than its share of the rows of a larger call, no longer than the largest known.
    """
    below = max((size for size in known if size <= rows), default=None)
    above = min((size for size in known if size >= rows), default=None)
    if above is None:
        return known[max(known)]
    if below is None:
        return known[above] * rows / above
    if below == above:
        return known[below]
    share = (rows - below) / (above - below)
    return known[below] + share * (known[above] - known[below])


def _mean_end(known: dict[int, float], rows: int, waiting: int) -> float:
    """Add up when each of the waiting is done if `rows` of them run at a time, in calls."""
    full, rest = divmod(waiting, rows)
    together = _expected(known, rows)
    ends = rows * together * full * (full + 1) / 2
    return ends + (rest * (full * together + _expected(known, rest)) if rest else 0)
