"""Who may do what: pure functions over plain values, without Discord or storage."""

from bot.guilds.checks import check_job, check_place, check_queue, check_server_queue
from bot.guilds.model_rules import check_models, is_model_allowed, with_allowed_model
from bot.guilds.ownership import may_cancel, may_delete, may_use
from bot.guilds.quota import GpuUsage, check_quota, quota_of, remaining_quota, share_of
from bot.guilds.settings import GuildSettings, RequestContext, list_setting_types, validate_changes

__all__ = [
    "GpuUsage",
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
