"""JSON as it comes over a pipe: read within bounds, whatever wrote it."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: Objects and lists within each other; a job's parameters and a notice within a notice need few.
MAX_NESTING = 32
#: The largest seed; nothing that is sent has a larger integer.
MAX_INTEGER = 2**64 - 1
MAX_DIGITS = len(str(-MAX_INTEGER))


def decode_json(data: str | bytes) -> Any:
    """Read a JSON value: finite numbers, integers of 64 bits, nested no deeper than the bound.

    Raises:
        ValueError: it is none.
    """
    text = (
        data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
    )
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("This JSON is nested too deeply.") from error
    if text.count("{") + text.count("[") > MAX_NESTING:  # else it cannot be
        _check_nesting(value)
    return value


def _read_integer(digits: str) -> int:
    # No number of so many digits is converted: that takes a time that grows with their square.
    if len(digits) > MAX_DIGITS or abs(number := int(digits)) > MAX_INTEGER:
        raise ValueError("This JSON has an integer of more than 64 bits.")
    return number


def _read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("This JSON has a number beyond all bounds.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")


#: Made once: a decoder with readers of its own takes longer to make than a message to read.
_DECODER = json.JSONDecoder(
    parse_int=_read_integer, parse_float=_read_float, parse_constant=_refuse_constant
)


def _check_nesting(value: Any) -> None:
    """Look at each level in turn, with no recursion of our own."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return
    raise ValueError("This JSON is nested too deeply.")
