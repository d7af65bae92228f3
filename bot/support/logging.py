"""Logs: one line an event, as words or as JSON, with the job it is about and without secrets."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

import structlog

from bot.support.redaction import redact_values
from storage.records import JobRecord

log = logging.getLogger(__name__)


def configure_logging(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged, by whatever library, to one stream.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        form: `console` for people, `json` for programs.
        stream: by default the standard error.
    """
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False, sort_keys=False, pad_event_to=0)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.StackInfoRenderer(),
            _without_secrets,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    sys.excepthook = _log_uncaught


def job_log_context(record: JobRecord) -> AbstractContextManager[None]:
    """Bind what is logged within to a job, its attempt, and the request that it came from."""
    return structlog.contextvars.bound_contextvars(
        job=record.id, attempt=record.attempt, trace=record.idempotency_key
    )


def request_log_context(key: str) -> AbstractContextManager[None]:
    """Bind what is logged within to a request that is no job yet."""
    return structlog.contextvars.bound_contextvars(trace=key)


def bind_request(key: str) -> None:
    """Bind what the running task logs from now on to a request."""
    structlog.contextvars.bind_contextvars(trace=key)


def _without_secrets(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: redact_values(value) for key, value in event.items()}


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Let the last words of the process go the same way as all others."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log.critical("Easel ends by an error.", exc_info=(kind, error, traceback))
