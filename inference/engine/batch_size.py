"""How many rows a network call should have: measured from the calls themselves, no tensor in it.

More rows a call are more pictures a second only until the device is busy; from there on every
further row makes all of them wait longer. A small network on a large card gains up to the most
rows that are allowed, a large one may gain nothing from the second on. So the time of a call is
learnt for every key and number of entries (a row has one for each of its conditions), and of the
sizes that are nearly as fast as the fastest the one is taken with which those who wait have their
pictures soonest on average.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from itertools import accumulate

#: A size must reach this share of the best one's entries a second: with a long queue speed is all.
MIN_SPEED_SHARE = 0.9
#: Calls of one size that are remembered; the least of them counts, since disturbances only add.
MAX_TIMES_PER_SIZE = 8
#: Keys that are remembered; the oldest is forgotten, and learnt again if it comes again.
MAX_TIMED_KEYS = 1024


class BatchSizer:
    """Times of network calls by key and number of entries."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, dict[int, deque[float]]] = {}

    def record_time(self, key: Hashable, entries: int, seconds: float) -> None:
        """Remember what a call took; the first of a size is left out, since devices warm up."""
        times_by_size = self._seconds.setdefault(key, {})
        if len(self._seconds) > MAX_TIMED_KEYS:
            self._seconds.pop(next(iter(self._seconds)))
        if entries in times_by_size:
            times_by_size[entries].append(seconds)
        else:
            times_by_size[entries] = deque(maxlen=MAX_TIMES_PER_SIZE)

    def best_size(self, key: Hashable, row_entries: Sequence[int], waiting: int) -> int:
        """Choose how many rows the next call should have.

        Args:
            key: what the rows share.
            row_entries: entries of each row that may be in it, in the order of their places.
            waiting: all the rows there are.
        """
        sizes = range(1, len(row_entries) + 1)
        times_by_size = self._seconds.get(key, {})
        seconds_by_size = {size: min(times) for size, times in times_by_size.items() if times}
        if not seconds_by_size or len(sizes) < 2:
            return len(sizes)
        entries = list(accumulate(row_entries, initial=0))
        seconds = [_expected_seconds(seconds_by_size, size) if size else 0.0 for size in entries]
        speeds = {rows: entries[rows] / seconds[rows] for rows in sizes}
        min_speed = MIN_SPEED_SHARE * max(speeds.values())
        return min(
            (rows for rows in sizes if speeds[rows] >= min_speed),
            key=lambda rows: (_total_completion(seconds, rows, waiting), -rows),
        )


def _expected_seconds(seconds_by_size: dict[int, float], entries: int) -> float:
    """Tell how long a call takes, between measured sizes by a straight line.

    Outside of them it is taken for as short as it can be, so that it is tried and then known:
    no shorter than its share of the entries of a larger call, no longer than the largest known.
    """
    below = max((size for size in seconds_by_size if size <= entries), default=None)
    above = min((size for size in seconds_by_size if size >= entries), default=None)
    if above is None:
        return seconds_by_size[max(seconds_by_size)]
    if below is None:
        return seconds_by_size[above] * entries / above
    if below == above:
        return seconds_by_size[below]
    share = (entries - below) / (above - below)
    return seconds_by_size[below] + share * (seconds_by_size[above] - seconds_by_size[below])


def _total_completion(seconds: Sequence[float], rows: int, waiting: int) -> float:
    """Add up when each of the waiting is done if `rows` run at a time; `seconds` by rows."""
    full_calls, remaining_rows = divmod(waiting, rows)
    ends = rows * seconds[rows] * full_calls * (full_calls + 1) / 2
    return ends + remaining_rows * (full_calls * seconds[rows] + seconds[remaining_rows])
