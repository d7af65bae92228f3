"""Threads beside the engine's, for what asks nothing of a device and would hold up its steps."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeVar

Owner = TypeVar("Owner")


class SideOutcome(NamedTuple, Generic[Owner]):
    """What came of a call: its result or its error, and seconds of the processor."""

    owner: Owner
    result: Any
    error: BaseException | None
    seconds: float


#: Calls that are made at a time, at most, where there are cores beside the engine's own.
MAX_THREADS = 4


class SideThreads(Generic[Owner]):
    """Makes calls, a few at a time, in the order in which they came.

    They may not compute with torch: a thread that has slows the engine's own from then on.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(count_threads(), thread_name_prefix="side")
        self._calls: dict[Owner, Future[None]] = {}
        self._outcomes: queue.SimpleQueue[SideOutcome[Owner]] = queue.SimpleQueue()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing whose outcome is to be taken."""
        return not self._calls

    def start_call(self, owner: Owner, call: Callable[[], Any]) -> None:
        """Let a call wait for its turn."""
        self._calls[owner] = self._pool.submit(copy_context().run, self._make_call, owner, call)

    def cancel_call(self, owner: Owner) -> None:
        """Forget a call, if it is here; one that is being made comes to nothing."""
        call = self._calls.pop(owner, None)
        if call is not None:
            call.cancel()

    def waiting_owners(self) -> list[Owner]:
        """List whose calls have not begun."""
        return [owner for owner, call in self._calls.items() if not (call.running() or call.done())]

    def next_outcome(self, wait_seconds: float) -> SideOutcome[Owner] | None:
        """Take what came of a call that nobody cancelled, waiting at most so long for one."""
        while True:
            try:
                outcome = self._outcomes.get(block=wait_seconds > 0, timeout=wait_seconds or None)
            except queue.Empty:
                return None
            if self._calls.pop(outcome.owner, None) is not None:
                return outcome

    def close(self) -> None:
        """Forget the calls that wait, which would else be made before the process ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _make_call(self, owner: Owner, call: Callable[[], Any]) -> None:
        result, error, begin = None, None, time.thread_time()
        try:
            result = call()
        except Exception as problem:
            error = problem
        self._outcomes.put(SideOutcome(owner, result, error, time.thread_time() - begin))


def count_threads() -> int:
    """Count the calls to make at a time: one for every core but the engine's, up to a few."""
    return max(1, min(MAX_THREADS, (os.cpu_count() or 1) - 1))
