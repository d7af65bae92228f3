"""How long a test waits for what must come: one limit, longer on a slow or busy machine."""

from __future__ import annotations

import hashlib
import time

#: Seconds of wall time that the calibration takes on a quiet machine of today.
QUIET_SECONDS = 0.05
ROUNDS = 60
CHUNK = bytes(1 << 20)
#: Seconds that are plenty on a quiet machine.
QUIET_PATIENCE_SECONDS = 240.0
MAX_FACTOR = 20.0


def _measure_slowness() -> float:
    """Return how many times longer than on a quiet machine a fixed piece of work takes, from 1."""
    begin = time.monotonic()
    for _ in range(ROUNDS):
        hashlib.sha256(CHUNK).digest()
    return min(MAX_FACTOR, max(1.0, (time.monotonic() - begin) / QUIET_SECONDS))


#: Seconds until a test gives up. Every wait ends on what it waits for; this ends only what is lost.
PATIENCE = QUIET_PATIENCE_SECONDS * _measure_slowness()
