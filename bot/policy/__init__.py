"""Who may do what: pure functions over plain values, without Discord or storage."""

from bot.policy.checks import check_job, check_place, check_queue, check_server_queue
from bot.policy.models import allows, check_models, fitted
from bot.policy.owners import may_cancel, may_delete, may_use
from bot.policy.quota import Use, check_quota, left_of, quota_of, share_of
from bot.policy.rules import Asker, Rules, changed, settable

__all__ = [
    "Asker",
    "Rules",
    "Use",
    "allows",
    "changed",
    "check_job",
    "check_models",
    "check_place",
    "check_queue",
    "check_quota",
    "check_server_queue",
    "fitted",
    "left_of",
    "may_cancel",
    "may_delete",
    "may_use",
    "quota_of",
    "settable",
    "share_of",
]
