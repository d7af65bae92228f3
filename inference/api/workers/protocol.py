"""What the bot may rely on, whoever runs the workers: subprocesses here, actors on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference.api.commands import SubmitJob
from inference.api.config import MAX_BATCH
from inference.api.messages import Event, ModelInfo
from inference.api.notices import Notice


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """One worker as the service sees it."""

    #: Unique for this life of the worker: a restarted worker has another name.
    name: str
    #: Whether it has said that it takes jobs.
    ready: bool
    #: Jobs it holds.
    held: int
    #: Jobs it can hold.
    capacity: int
    #: Rows of its network calls at most.
    batch: int = MAX_BATCH
    #: The machine it runs on; empty for the bot's own.
    node: str = ""
    device: str = ""
    #: What it can run; of one that is starting again, what it could before; nothing where it never
    #: said so.
    models: tuple[ModelInfo, ...] = ()
    #: Names of the checkpoints in its memory, as jobs give them.
    resident: frozenset[str] = frozenset()
    notes: tuple[Notice, ...] = ()
    #: Why it is not ready, when it said so.
    trouble: Notice | None = None
    #: Whether it will be started again: it ended too often and rests for some minutes.
    is_resting: bool = False


class WorkerPool(Protocol):
    """Workers behind one door. Every method is quick; waiting happens in `next_event`."""

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        """The workers that run now, ready or starting."""
        ...

    def free_worker(self) -> str | None:
        """Name the ready worker with most room, or None when all are full or none is ready."""
        ...

    async def submit_job(self, worker: str, submission: SubmitJob) -> None:
        """Hand a job to a worker.

        Raises:
            NoWorker: that worker is gone, or is being ended.
            WireError: the job fits no frame.
        """
        ...

    async def cancel_job(
        self, worker: str, job_id: str, attempt: int, *, keep: bool = False
    ) -> None:
        """Ask a worker to give a job up; a worker that is gone needs no asking.

        With `keep` the job may end as finished, with what it has made so far.
        """
        ...

    async def kill_worker(self, worker: str) -> None:
        """End a worker that does nothing any more; what it held is told as lost with it.

        From now on it is not ready and takes no job.
        """
        ...

    async def next_event(self) -> tuple[str, Event]:
        """Wait for the next event and the name of the worker it is about.

        Who asks for the next one has recorded what came of the last.
        """
        ...
