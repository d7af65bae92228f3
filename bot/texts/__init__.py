"""Records, places and errors → sentences, in the language that the task speaks.

Pure beside that: no Discord, no storage calls, no clock.
"""

from bot.texts.cards import (
    SHOWN_ANSWER,
    cancelled,
    failed,
    incident,
    is_cut,
    not_cancelled,
    preview,
    progress,
    received,
    result,
    shown_below,
    waiting,
    was_cancelled,
)
from bot.texts.lists import defaults, history, models, queue, queue_line, styles
from bot.texts.made import MAX_ALT_TEXT, alt_text, facts, parameters, recalled, title
from bot.texts.moderation import (
    case,
    cases,
    deleted,
    log_refused,
    log_reported,
    log_withheld,
    released,
    withheld,
)
from bot.texts.server import NATIVE, quota, settings, settings_changes
from bot.texts.signs import MAX_CONTENT, block, plain, quote

__all__ = [
    "MAX_ALT_TEXT",
    "MAX_CONTENT",
    "NATIVE",
    "SHOWN_ANSWER",
    "alt_text",
    "block",
    "cancelled",
    "case",
    "cases",
    "defaults",
    "deleted",
    "facts",
    "failed",
    "history",
    "incident",
    "is_cut",
    "log_refused",
    "log_reported",
    "log_withheld",
    "models",
    "not_cancelled",
    "parameters",
    "plain",
    "preview",
    "progress",
    "queue",
    "queue_line",
    "quota",
    "quote",
    "recalled",
    "received",
    "released",
    "result",
    "settings",
    "settings_changes",
    "shown_below",
    "styles",
    "title",
    "waiting",
    "was_cancelled",
    "withheld",
]
