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
MIN_SPEED_SHARE = 0.9
#: Calls of one size that are remembered; the least of them counts, since disturbances only add.
MAX_TIMES_PER_SIZE = 8
#: Keys that are remembered; the oldest is forgotten, and learnt again if it comes again.
MAX_TIMED_KEYS = 1024


class BatchSizer:
    """Times of network calls by key and number of rows."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, dict[int, deque[float]]] = {}

    def record_time(self, key: Hashable, rows: int, seconds: float) -> None:
        """Remember what a call took; the first of a size is left out, since devices warm up."""
        times_by_rows = self._seconds.setdefault(key, {})
        if len(self._seconds) > MAX_TIMED_KEYS:
            self._seconds.pop(next(iter(self._seconds)))
        if rows in times_by_rows:
            times_by_rows[rows].append(seconds)
        else:
            times_by_rows[rows] = deque(maxlen=MAX_TIMES_PER_SIZE)

    def best_size(self, key: Hashable, waiting: int, max_rows: int) -> int:
        """Choose how many of the waiting rows the next call should have, at most `most`."""
        sizes = range(1, min(waiting, max_rows) + 1)
        times_by_rows = self._seconds.get(key, {})
        seconds_by_rows = {rows: min(times) for rows, times in times_by_rows.items() if times}
        if not seconds_by_rows or len(sizes) < 2:
            return len(sizes)
        speeds = {rows: rows / _expected_seconds(seconds_by_rows, rows) for rows in sizes}
        min_speed = MIN_SPEED_SHARE * max(speeds.values())
        return min(
            (rows for rows in sizes if speeds[rows] >= min_speed),
            key=lambda rows: (_total_completion(seconds_by_rows, rows, waiting), -rows),
        )


def _expected_seconds(seconds_by_rows: dict[int, float], rows: int) -> float:
    """Tell how long a call takes, between measured sizes by a straight line.

    Outside of them it is taken for as short as it can be, so that it is tried and then known:
    no shorter than its share of the rows of a larger call, no longer than the largest known.
    """
    below = max((size for size in seconds_by_rows if size <= rows), default=None)
    above = min((size for size in seconds_by_rows if size >= rows), default=None)
    if above is None:
        return seconds_by_rows[max(seconds_by_rows)]
    if below is None:
        return seconds_by_rows[above] * rows / above
    if below == above:
        return seconds_by_rows[below]
    share = (rows - below) / (above - below)
    return seconds_by_rows[below] + share * (seconds_by_rows[above] - seconds_by_rows[below])


def _total_completion(seconds_by_rows: dict[int, float], rows: int, waiting: int) -> float:
    """Add up when each of the waiting is done if `rows` of them run at a time, in calls."""
    full_calls, remaining_rows = divmod(waiting, rows)
    call_seconds = _expected_seconds(seconds_by_rows, rows)
    ends = rows * call_seconds * full_calls * (full_calls + 1) / 2
    return ends + (
        remaining_rows
        * (full_calls * call_seconds + _expected_seconds(seconds_by_rows, remaining_rows))
        if remaining_rows
        else 0
    )
