"""The service: what stands between the bot and the workers (standard library only)."""

from inference.service.contract import WorkerPool, WorkerStatus
from inference.service.local import LocalWorkerPool

__all__ = ["LocalWorkerPool", "WorkerPool", "WorkerStatus"]
