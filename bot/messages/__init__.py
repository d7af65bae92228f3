"""Records, places and errors → sentences, in the language that the task speaks.

Pure beside that: no Discord, no storage calls, no clock.
"""

from bot.messages.escaping import MAX_MESSAGE_CHARACTERS, code_block, escape_untrusted, inline_code
from bot.messages.guild_settings import (
    LANGUAGE_NAMES,
    quota_message,
    settings_changes,
    settings_overview,
)
from bot.messages.job_details import (
    MAX_ALT_TEXT_CHARACTERS,
    alt_text,
    imported_job_message,
    kind_title,
    parameters_text,
    summary_line,
)
from bot.messages.job_status import (
    MAX_ANSWER_CHARACTERS,
    cancelled_card,
    cancelled_message,
    exceeds_card,
    failed_card,
    internal_error_message,
    not_cancelled_message,
    preview_alt_text,
    progress_card,
    received_message,
    result_card,
    shown_below_note,
    waiting_card,
)
from bot.messages.listings import (
    defaults_list,
    history_list,
    model_list,
    queue_line,
    queue_overview,
    style_list,
)
from bot.messages.moderation import (
    case_details,
    case_list,
    deleted_message,
    log_refused,
    log_reported,
    log_withheld,
    released_message,
    withheld_card,
)

__all__ = [
    "LANGUAGE_NAMES",
    "MAX_ALT_TEXT_CHARACTERS",
    "MAX_ANSWER_CHARACTERS",
    "MAX_MESSAGE_CHARACTERS",
    "alt_text",
    "cancelled_card",
    "cancelled_message",
    "case_details",
    "case_list",
    "code_block",
    "defaults_list",
    "deleted_message",
    "escape_untrusted",
    "exceeds_card",
    "failed_card",
    "history_list",
    "imported_job_message",
    "inline_code",
    "internal_error_message",
    "kind_title",
    "log_refused",
    "log_reported",
    "log_withheld",
    "model_list",
    "not_cancelled_message",
    "parameters_text",
    "preview_alt_text",
    "progress_card",
    "queue_line",
    "queue_overview",
    "quota_message",
    "received_message",
    "released_message",
    "result_card",
    "settings_changes",
    "settings_overview",
    "shown_below_note",
    "style_list",
    "summary_line",
    "waiting_card",
    "withheld_card",
]
