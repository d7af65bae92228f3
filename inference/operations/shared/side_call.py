"""Work on pictures beside the steps of other jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from inference.engine.work import SideWork, WorkRequest
from inference.images.regions import Size

Result = TypeVar("Result")

#: Work on a picture of fewer pixels is done at once: no turn is longer for it than a few ms.
MIN_BESIDE_PIXELS = 256 * 256


def run_beside(call: Callable[[], Result], size: Size) -> Generator[WorkRequest, list[Any], Result]:
    """Make a call beside the steps, for a picture of the size, and give what it returns.

    There may be no torch in it. What was announced to follow still does.
    """
    if size[0] * size[1] < MIN_BESIDE_PIXELS:
        return call()
    (result,) = yield WorkRequest(works=(SideWork(call=call),), later_units=None)
    outcome: Result = result
    return outcome
