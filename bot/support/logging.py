"""Logs: one line an event, as words or as JSON, with the job it is about and without secrets.

What members and files say is written with its control characters escaped: it can begin no line of
its own, colour nothing, and turn no direction of writing.
"""

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

TRACEBACK_KEYS = ("exception", "stack")  # whose lines stay lines, each set in from the margin
TRACEBACK_INDENT = "    "
KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # joiners, which scripts and emoji are written with


def configure_logging(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged, by whatever library, to one stream.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        form: `console` for people, `json` for programs.
        stream: by default the standard error.
    """
    renderers: list[Any] = [structlog.processors.JSONRenderer(ensure_ascii=False), _escape_json]
    if form == "console":
        console = structlog.dev.ConsoleRenderer(colors=False, sort_keys=False, pad_event_to=0)
        renderers = [_escape_event, console]
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
            *renderers,
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


def escape_controls(text: str) -> str:
    r"""Write what is no visible character as Python does: `\n`, `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in KEPT_FORMAT_CHARACTERS
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _escape_event(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {
        escape_controls(key): _escape_traceback(str(value))
        if key in TRACEBACK_KEYS
        else _escape_value(value)
        for key, value in event.items()
    }


def _escape_value(value: Any) -> Any:
    match value:
        case str():
            return escape_controls(value)
        case dict():
            return {escape_controls(key): _escape_value(item) for key, item in value.items()}
        case list():
            return [_escape_value(item) for item in value]
        case _:
            return value


def _escape_traceback(text: str) -> str:
    return "\n".join(TRACEBACK_INDENT + escape_controls(line) for line in text.split("\n"))


def _escape_json(logger: Any, method: str, line: str) -> str:
    """Escape what JSON lets through; to a reader of JSON it stays the same."""
    if line.isprintable():
        return line
    return "".join(
        character
        if character.isprintable() or character in KEPT_FORMAT_CHARACTERS
        else "".join(f"\\u{unit:04x}" for unit in _utf16_units(character))
        for character in line
    )


def _utf16_units(character: str) -> memoryview:
    return memoryview(character.encode("utf-16", "surrogatepass")[2:]).cast("H")


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Let the last words of the process go the same way as all others."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log.critical("Easel ends by an error.", exc_info=(kind, error, traceback))
