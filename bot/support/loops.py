"""Loops that must not end: whatever goes wrong is logged, told, and the loop goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.support.redaction import redact_secrets

log = logging.getLogger(__name__)

#: In the data directory: which loops fail just now; absent where none does.
HEALTH_FILE = "failing-loops.json"
#: After so many failures in a row the host is told.
ALERT_AFTER_FAILURES = 3
#: Where even the pause fails.
FALLBACK_PAUSE_SECONDS = 1.0  # seconds
MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True)
class LoopFailure:
    """How a loop fails just now."""

    #: Rounds that failed, one after the other.
    failures: int
    #: When the first of them did: ISO 8601, UTC.
    since: str
    #: What the last one ended with.
    error: str


class LoopHealth:
    """Runs loops, and keeps in a file which of them fail.

    Args:
        path: the file; None keeps it in memory alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        #: The loops whose last round failed, by name.
        self.failing: dict[str, LoopFailure] = {}
        self._path = path
        self._write_file()

    async def run_loop(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        pause: Callable[[], Awaitable[object]],
        *,
        goes_on: Callable[[], bool] = lambda: True,
        alert: Callable[[str], object] = log.error,
    ) -> None:
        """Do the work again and again, with a pause after each time that it failed.

        Work that goes on by itself returns once when its loop is failing, to be seen to work.
        """
        while goes_on():
            try:
                await work()
            except (Exception, asyncio.CancelledError) as error:
                _raise_if_cancelled(error)
                log.exception("The %s loop failed.", name, extra={"action": f"{name}_failed"})
                self._record_failure(name, error, alert)
                try:
                    await pause()
                except (Exception, asyncio.CancelledError) as pause_error:
                    _raise_if_cancelled(pause_error)
                    await asyncio.sleep(FALLBACK_PAUSE_SECONDS)
            else:
                self._record_success(name)

    def _record_failure(
        self, name: str, error: BaseException, alert: Callable[[str], object]
    ) -> None:
        earlier = self.failing.get(name)
        failure = self.failing[name] = LoopFailure(
            failures=1 if earlier is None else earlier.failures + 1,
            since=datetime.now(UTC).isoformat(timespec="seconds")
            if earlier is None
            else earlier.since,
            error=redact_secrets(f"{type(error).__name__}: {error}")[:MAX_ERROR_CHARACTERS],
        )
        self._write_file()
        if failure.failures == ALERT_AFTER_FAILURES:
            with contextlib.suppress(Exception):
                alert(
                    f"Easel's {name} loop keeps failing ({failure.error}) and is tried again and "
                    "again. The log has more; `easel doctor` looks for the cause."
                )

    def _record_success(self, name: str) -> None:
        if self.failing.pop(name, None) is not None:
            log.info("The %s loop works again.", name)
            self._write_file()

    def _write_file(self) -> None:
        """Write which loops fail; a disk that refuses this changes no loop."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            if self.failing:
                data = {name: asdict(failure) for name, failure in self.failing.items()}
                self._path.write_text(json.dumps(data), encoding="utf-8")
            else:
                self._path.unlink(missing_ok=True)


def read_failing_loops(path: Path) -> Mapping[str, LoopFailure]:
    """Read which loops of a running bot fail; none where the file is absent or of no use."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: LoopFailure(**failure) for name, failure in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _raise_if_cancelled(error: BaseException) -> None:
    """Pass a cancellation on that is meant for this task, not one of something it waited for."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error
