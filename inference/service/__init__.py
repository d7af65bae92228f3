"""The service: what stands between the bot and the workers (standard library only)."""

from inference.service.contract import Service, WorkerStatus
from inference.service.local import LocalService

__all__ = ["LocalService", "Service", "WorkerStatus"]
