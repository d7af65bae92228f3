"""What a worker logs: one JSON object a line of its standard error, which the bot tells again.

The worker decides nothing about form. The bot logs each line as its own, in the host's format and
without secrets, with the worker's name and the jobs that were at work.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from inference.api.strict_json import decode_json

log = logging.getLogger(__name__)

#: What every record has, whoever makes it: no name for anything of ours.
LOG_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

#: Id and attempt of the jobs that the present piece of work is for.
_AT_WORK: ContextVar[tuple[tuple[str, int], ...]] = ContextVar("at_work", default=())


@contextmanager
def bind_jobs(*jobs: tuple[str, int]) -> Iterator[None]:
    """Bind what is logged within to jobs, each by its id and attempt."""
    context_token = _AT_WORK.set(jobs)
    try:
        yield
    finally:
        _AT_WORK.reset(context_token)


class JsonLineFormatter(logging.Formatter):
    """Writes a record as one line of JSON, with the jobs at work."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        line: dict[str, Any] = {
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **_at_work(),
            **{
                name: value for name, value in vars(record).items() if name not in LOG_RECORD_FIELDS
            },
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(stream: TextIO | None = None) -> None:
    """Log to the standard error: lines for the bot, or words where a person looks on."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    words = logging.Formatter("%(levelname)s %(name)s: %(message)s")
    handler.setFormatter(words if stream.isatty() else JsonLineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def relay_line(worker: str, line: bytes) -> None:
    """Log a line of a worker's; what is none of ours (a library's print) is told as it stands."""
    text = line.decode(errors="replace").rstrip()
    entry = _parse_line(text)
    if entry is None:
        if text:
            log.info("%s", text, extra={"worker": worker})
        return
    logger = logging.getLogger(str(entry.pop("logger")))
    level = logging.getLevelNamesMapping().get(str(entry.pop("level")), logging.WARNING)
    event = entry.pop("event")
    facts = {
        name: value
        for name, value in entry.items()
        if name not in LOG_RECORD_FIELDS and not name.startswith("_")
    }
    logger.log(level, "%s", event, extra={"worker": worker} | facts)


def _parse_line(text: str) -> dict[str, Any] | None:
    try:
        entry = decode_json(text)
    except ValueError:
        return None
    ours = isinstance(entry, dict) and {"level", "logger", "event"} <= set(entry)
    return entry if ours else None


def _at_work() -> dict[str, Any]:
    jobs = _AT_WORK.get()
    if len(jobs) == 1:
        return {"job": jobs[0][0], "attempt": jobs[0][1]}
    return {"jobs": dict(jobs)} if jobs else {}
