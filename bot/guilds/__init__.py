"""What a server allows: its settings, the checks that follow from them, members' choices."""

from bot.guilds.checks import (
    check_job,
    check_models,
    check_place,
    check_queue,
    check_quota,
    check_server_queue,
    is_model_allowed,
    may_cancel,
    may_delete,
    may_use,
    quota_of,
    remaining_quota,
    share_of,
    with_allowed_model,
)
from bot.guilds.context import RequestContext
from bot.guilds.settings import GuildSettings, list_setting_types, validate_changes

__all__ = [
    "GuildSettings",
    "RequestContext",
    "check_job",
    "check_models",
    "check_place",
    "check_queue",
    "check_quota",
    "check_server_queue",
    "is_model_allowed",
    "list_setting_types",
    "may_cancel",
    "may_delete",
    "may_use",
    "quota_of",
    "remaining_quota",
    "share_of",
    "validate_changes",
    "with_allowed_model",
]
