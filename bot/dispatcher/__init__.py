"""Between the store and the workers: claim, submit, record, announce. No Discord here.

Whatever happens to a job is recorded first and announced afterwards; what the record says never
depends on whether the telling worked.
"""

from bot.dispatcher.dispatcher import Dispatcher
from bot.dispatcher.protocols import (
    ClaimGuard,
    DispatcherTiming,
    HostAlert,
    JobListener,
    SubmitResult,
    WaitHook,
)

__all__ = [
    "ClaimGuard",
    "Dispatcher",
    "DispatcherTiming",
    "HostAlert",
    "JobListener",
    "SubmitResult",
    "WaitHook",
]
