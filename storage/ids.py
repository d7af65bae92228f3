"""Job ids: short, url-safe, and in the order in which the jobs were asked for."""

from __future__ import annotations

import secrets
from datetime import datetime

from storage.clock import to_microseconds

#: Crockford's base 32: no i, l, o, u; sorts as ASCII.
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 20  # characters of 5 bits; with a suffix it still fits Discord's 25 for a nonce
CHANCE_BITS = 55  # below 45 bits of milliseconds, which last until the year 3084
STEP_BITS = 32  # how far an id may jump past its predecessor when the clock has not moved on


def next_id(current_time: datetime, last: str | None) -> str:
    """Return an id greater than `last`, from `now` where the clock allows.

    When the clock stands still or was set back, the id counts on from `last` instead, so ids
    order jobs by arrival whatever the clock does.
    """
    milliseconds = to_microseconds(current_time) // 1000
    number = (milliseconds << CHANCE_BITS) | secrets.randbits(CHANCE_BITS)
    if last is not None and number <= (previous := _decode_id(last)):
        number = previous + 1 + secrets.randbits(STEP_BITS)
    return _encode_id(number)


def _encode_id(number: int) -> str:
    digits = (ID_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(ID_LENGTH)))
    return "".join(digits)


def _decode_id(text: str) -> int:
    number = 0
    for digit in text:
        number = number << 5 | ID_ALPHABET.index(digit)
    return number
