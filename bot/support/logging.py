"""Logs: one line an event, as words or as JSON, with the job it is about and without secrets.

Secrets are taken out by their shape, wherever they come from: a list of places where they may be
would always lack one, as tokens sit in addresses, addresses in exceptions, exceptions in logs.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

import structlog

from storage.records import JobRecord

log = logging.getLogger(__name__)

REDACTED_TEXT = "[redacted]"

#: Each shape, and what stays of it.
SECRET_PATTERNS = (
    # Webhooks and interactions carry their token in the path.
    (re.compile(r"(/webhooks/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    (re.compile(r"(/interactions/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    # An interaction's token is "interaction:…" in base 64.
    (re.compile(r"aW50ZXJhY3Rpb246[\w-]{20,}={0,2}"), REDACTED_TEXT),
    # A bot's token: its id in base 64, a time, a signature.
    (re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), REDACTED_TEXT),
    (re.compile(r"\bmfa\.[\w-]{20,}"), REDACTED_TEXT),
    (re.compile(r"\bhf_[A-Za-z0-9]{20,}"), REDACTED_TEXT),
    (
        re.compile(
            r"""(authorization['"]?\s*[:=,]\s*['"]?)(?:(?:bot|bearer|basic)\s+)?[^\s'",}]+""", re.I
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    (re.compile(r"\b((?:bot|bearer)\s+)[\w-]{10,}\.[\w.-]{10,}", re.I), rf"\1{REDACTED_TEXT}"),
    # A name that says so, with its value.
    (
        re.compile(
            r"""((?:token|secret|password|api_key)['"]?\s*[:=]\s*['"]?)(?!\[redacted\])"""
            r"""[^\s'",;&}<>()]{6,}""",
            re.I,
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    # Signatures of Discord's attachment addresses.
    (re.compile(r"\b(hm=)[0-9a-f]{16,}"), rf"\1{REDACTED_TEXT}"),
)


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


def redact_secrets(text: str) -> str:
    """Return the text without what looks like a secret."""
    for shape, replacement in SECRET_PATTERNS:
        text = shape.sub(replacement, text)
    return text


def redact_values(value: Any) -> Any:
    """Do so to every text in a structure; what is neither text nor structure becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {redact_secrets(str(key)): redact_values(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_values(item) for item in value]
        case _:
            return redact_secrets(str(value))


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
