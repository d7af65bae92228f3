from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests import progress_line
from tests.progress_line import ProgressLine

TESTS = 600


class Reporter:
    def __init__(self):
        self.lines = []

    def ensure_newline(self):
        pass

    def write_line(self, line):
        self.lines.append(line)


@pytest.fixture
def now(monkeypatch):
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(progress_line, "monotonic", lambda: clock.seconds)
    return clock


def run(reporter, now, total):
    line = ProgressLine(reporter)
    line.pytest_collection_finish(SimpleNamespace(items=[None] * total))
    for number in range(total // 2):
        now.seconds += 0.5
        for _ in ("setup", "call", "teardown"):
            line.pytest_runtest_logreport(SimpleNamespace(nodeid=f"tests/a.py::test[{number}]"))


def test_a_long_run_says_every_so_often_how_much_is_left(now):
    reporter = Reporter()
    run(reporter, now, TESTS)
    assert len(reporter.lines) == 7
    assert (
        reporter.lines[2] == "120 of 600 tests in 1 min 0 s, about 4 min 0 s left; now tests/a.py"
    )


def test_a_short_run_says_nothing(now):
    reporter = Reporter()
    run(reporter, now, 20)
    assert reporter.lines == []


def test_a_test_that_exchanges_the_clock_does_not_disturb_it(monkeypatch):
    line = ProgressLine(Reporter())
    monkeypatch.setattr("time.monotonic", lambda: next(iter(())))
    line.pytest_runtest_logreport(SimpleNamespace(nodeid="tests/a.py::test"))
