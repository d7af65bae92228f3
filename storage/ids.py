"""Job ids: short, url-safe, and in the order in which the jobs were asked for."""

from __future__ import annotations

import secrets
from datetime import datetime

from storage.clock import to_microseconds

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u; sorts as ASCII
LENGTH = 20  # characters of 5 bits; with a suffix it still fits Discord's 25 for a nonce
CHANCE_BITS = 55  # below 45 bits of milliseconds, which last until the year 3084
STEP_BITS = 32  # how far an id may jump past its predecessor when the clock has not moved on


def next_id(now: datetime, last: str | None) -> str:
    """Return an id greater than `last`, from `now` where the clock allows.

    When the clock stands still or was set back, the id counts on from `last` instead, so ids
    order jobs by arrival whatever the clock does.
    """
    milliseconds = to_microseconds(now) // 1000
    number = (milliseconds << CHANCE_BITS) | secrets.randbits(CHANCE_BITS)
    if last is not None and number <= (previous := _decode(last)):
        number = previous + 1 + secrets.randbits(STEP_BITS)
    return _encode(number)


def _encode(number: int) -> str:
    digits = (ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(LENGTH)))
    return "".join(digits)


def _decode(text: str) -> int:
    number = 0
    for digit in text:
        number = number << 5 | ALPHABET.index(digit)
    return number
