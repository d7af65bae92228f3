"""Say how far a long run of the tests is, and how long it will go on."""

from __future__ import annotations

from time import monotonic  # by name: a test may exchange the module's own

import pytest

#: Below so many tests there is nothing to wait for.
LONG_RUN_TESTS = 500
INTERVAL_SECONDS = 20.0


class ProgressLine:
    """A line every few seconds: what is being tested, how much is done, and the time left."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter
        self._begin = self._told = monotonic()
        self._total = 0
        self._done: set[str] = set()

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = max(self._total, len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = max(self._total, len(ids))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._done.add(report.nodeid)
        now = monotonic()
        if self._total < LONG_RUN_TESTS or now - self._told < INTERVAL_SECONDS:
            return
        self._told = now
        self._reporter.ensure_newline()
        self._reporter.write_line(self.describe_progress(report.nodeid, now - self._begin))

    def describe_progress(self, test_id: str, elapsed_seconds: float) -> str:
        """Say it; the time left goes by the tests done so far."""
        left_seconds = elapsed_seconds * (self._total / len(self._done) - 1)
        return (
            f"{len(self._done):,} of {self._total:,} tests in {_in_words(elapsed_seconds)}, "
            f"about {_in_words(left_seconds)} left; now {test_id.partition('::')[0]}"
        )


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
