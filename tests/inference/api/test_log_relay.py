from __future__ import annotations

import io
import json
import logging

import pytest

from inference.api import log_relay
from inference.api.log_relay import JsonLineFormatter, bind_jobs, configure_logging, relay_line

log = logging.getLogger("inference.test")


@pytest.fixture
def lines():
    """Log as a worker does; give what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLineFormatter())
    log.addHandler(handler)
    yield lambda: stream.getvalue().splitlines()
    log.removeHandler(handler)


def test_what_is_logged_at_work_names_the_job_and_its_attempt(lines):
    with bind_jobs(("a", 2)):
        log.warning("Memory ran out at %d.", 7, extra={"action": "climb"})
    log.warning("idle")

    first, last = map(json.loads, lines())
    assert first == {
        "level": "WARNING",
        "logger": "inference.test",
        "event": "Memory ran out at 7.",
        "job": "a",
        "attempt": 2,
        "action": "climb",
    }
    assert not {"job", "jobs", "attempt"} & set(last)


def test_a_call_that_several_jobs_share_names_them_all(lines):
    with bind_jobs(("a", 1)), bind_jobs(("a", 1), ("b", 3)):
        log.warning("together")

    assert json.loads(lines()[0])["jobs"] == {"a": 1, "b": 3}


def test_an_error_stays_on_its_line(lines):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("It failed.")

    (line,) = lines()
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


def test_the_bot_tells_a_workers_lines_as_its_own(lines, caplog):
    caplog.set_level(logging.INFO)
    with bind_jobs(("a", 2)):
        log.error("It %s.", "failed", extra={"action": "job_failed"})
    (line,) = lines()
    caplog.clear()

    relay_line("worker0-1-abc", line.encode())

    (record,) = caplog.records
    assert (
        record.name,
        record.levelname,
        record.getMessage(),
    ) == ("inference.test", "ERROR", "It failed.")
    assert (
        record.worker,
        record.job,
        record.attempt,
        record.action,
    ) == ("worker0-1-abc", "a", 2, "job_failed")


@pytest.mark.parametrize(
    "line",
    [
        b"Loading pipeline components...\r",
        b"100 %s\xff",
        b"[1, 2]",
        b"7",
        b'{"level": "INFO"}',
        b'{"level": 3, "logger": [], "event": null, "args": 1, "msg": "%s", "name": "x"}',
        b"[" * 100_000,
        b'{"level": "INFO", "logger": "x", "event": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"level": "INFO", "logger": "x", "event": "e", "a": ' + b"9" * 5000 + b"}",
        b'{"level": "INFO", "logger": "x", "event": "e", "_record": 1, "_logger": NaN}',
    ],
)
def test_whatever_a_library_prints_is_told_and_harms_nothing(caplog, line):
    caplog.set_level(logging.INFO)

    relay_line("worker0", line)

    (record,) = caplog.records
    assert record.worker == "worker0"
    assert isinstance(record.getMessage(), str)


def test_an_empty_line_is_nothing(caplog):
    caplog.set_level(logging.INFO)

    relay_line("worker0", b"\n")

    assert caplog.records == []


def test_a_person_who_looks_on_reads_words():
    class Screen(io.StringIO):
        def isatty(self):
            return True

    root = logging.getLogger()
    before = root.handlers[:], root.level
    screen = Screen()
    try:
        configure_logging(screen)
        logging.getLogger("inference.test").info("It is %s.", "ready")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])

    assert screen.getvalue() == "INFO inference.test: It is ready.\n"
    assert {"message", "name", "args"} < log_relay.LOG_RECORD_FIELDS
