"""The service: what stands between the bot and the workers (standard library only)."""

from inference.api.workers.pool import LocalWorkerPool
from inference.api.workers.protocol import WorkerPool, WorkerStatus
from inference.api.workers.remote_pool import RemoteWorkerPool

__all__ = ["LocalWorkerPool", "RemoteWorkerPool", "WorkerPool", "WorkerStatus"]
