"""A service in memory: the tests decide when its worker steps, finishes, fails or dies."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inference.api.commands import SubmitJob
from inference.api.errors import NoWorker
from inference.api.messages import (
    DescribedPhrase,
    DisplayCopy,
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    JobsWaiting,
    ModelInfo,
    OutputFile,
    PartFinished,
    WorkerLost,
)
from inference.api.notices import Notice
from inference.api.workers.protocol import WorkerStatus

MODELS = (
    ModelInfo(name="starter", kind="diffusion", size=128, about="small emoji"),
    ModelInfo(name="animevideov3", kind="upscaler", size=4, about="fast"),
    ModelInfo(name="lineart", kind="lora", size=0),
    ModelInfo(name="captions", kind="captioner", size=0),
    ModelInfo(name="tags", kind="tagger", size=0),
    ModelInfo(name="subject", kind="mask", size=0),
    ModelInfo(name="face", kind="mask", size=0),
)


class ScriptedService:
    """Implements `inference.api.workers.Service`; nothing happens in it that was not asked for."""

    def __init__(self, outbox: Path, capacity: int = 16) -> None:
        outbox.mkdir(parents=True, exist_ok=True)
        self.outbox = outbox
        self.capacity = capacity
        self.ready = True
        #: Why it does not get ready, where it has said so.
        self.trouble: Notice | None = None
        #: What the worker says that it has.
        self.models = MODELS
        self.worker = "scripted-1"
        #: What is written into pictures in place of the prompt asked for.
        self.infotext = ""
        #: What was handed over and has not ended, by job id, in order.
        self.held: dict[str, SubmitJob] = {}
        #: Everything that was ever handed over.
        self.submitted: list[SubmitJob] = []
        #: Job ids that were asked to be given up.
        self.cancelled: list[str] = []
        #: Job ids that were asked to end with what they have made; the test says how they end.
        self.stopped: list[str] = []
        self._events: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        if not self.ready and self.trouble is None:
            return ()
        status = WorkerStatus(
            name=self.worker,
            ready=self.ready,
            trouble=self.trouble,
            held=len(self.held),
            capacity=self.capacity,
            device="cpu",
            models=self.models,
        )
        return (status,)

    def free_worker(self) -> str | None:
        return self.worker if self.ready and len(self.held) < self.capacity else None

    async def submit_job(self, worker: str, submission: SubmitJob) -> None:
        if not self.ready or worker != self.worker:
            raise NoWorker
        self.held[submission.job_id] = submission
        self.submitted.append(submission)

    async def cancel_job(
        self, worker: str, job_id: str, attempt: int, *, keep: bool = False
    ) -> None:
        if keep:
            self.stopped.append(job_id)
            return
        self.cancelled.append(job_id)
        if self.held.pop(job_id, None) is not None:
            self.send_event(JobCancelled(job_id=job_id, attempt=attempt))

    async def kill_worker(self, worker: str) -> None:
        if worker == self.worker:
            self.lose_worker("was killed")

    async def next_event(self) -> tuple[str, Event]:
        return await self._events.get()

    # What a test says.

    @property
    def job(self) -> SubmitJob:
        """The one job in hand."""
        (only,) = self.held.values()
        return only

    def progress(
        self,
        step: int,
        steps: int,
        job_id: str | None = None,
        preview: Path | None = None,
        flops: float = 0.0,
        gpu_seconds: float = 0.0,
    ) -> None:
        job = self.held[job_id] if job_id else self.job
        self.send_event(
            JobProgress(
                job_id=job.job_id,
                attempt=job.attempt,
                step=step,
                steps=steps,
                preview=None if preview is None else str(preview),
                flops=flops,
                gpu_seconds=gpu_seconds,
            )
        )

    def waiting(self, *job_ids: str) -> None:
        """The worker says that jobs wait in it."""
        jobs = tuple((job_id, self.held[job_id].attempt) for job_id in job_ids)
        self.send_event(JobsWaiting(jobs=jobs))

    def part(self, number: int, job_id: str | None = None, mark: str = "mark") -> None:
        """The worker finishes one part of a job."""
        job = self.held[job_id] if job_id else self.job
        image = self._image(job, 100 + number, (16, 16), "blue", None)
        self.send_event(
            PartFinished(
                job_id=job.job_id, attempt=job.attempt, part=number, mark=mark, image=image
            )
        )

    def finish(
        self,
        job_id: str | None = None,
        *,
        size: tuple[int, int] = (16, 16),
        colour: str = "red",
        images: int = 1,
        text: str = "",
        phrases: tuple[DescribedPhrase, ...] = (),
        notes: tuple[str | Notice, ...] = (),
        file: bytes | None = None,
        role: str = "result",
        seam: bool = False,
        flops: float = 0.0,
        copy: bytes | None = None,
        quality: int = 95,
    ) -> None:
        job = self._pop(job_id)
        mask = (self._image(job, images, size, "white", None),) if seam else ()
        made = tuple(
            replace(self._image(job, n, size, colour, file), role=role) for n in range(images)
        )
        if copy is not None:
            made = (replace(made[0], copies=(self._copy(job, size, copy, quality),)), *made[1:])
        self.send_event(
            JobFinished(
                job_id=job.job_id,
                attempt=job.attempt,
                images=made,
                text=text,
                phrases=phrases,
                notes=tuple(map(_as_notice, notes)),
                seams=mask,
                seconds=1.5,
                gpu_seconds=1.0,
                flops=flops,
            )
        )

    def fail(self, reason: str | Notice, fault: str = "input", job_id: str | None = None) -> None:
        job = self._pop(job_id)
        self.send_event(
            JobFailed(
                job_id=job.job_id, attempt=job.attempt, reason=_as_notice(reason), error_kind=fault
            )
        )

    def lose_worker(self, reason: str | Notice = "killed", *, counts: bool = True) -> None:
        """The worker's process ends with everything it held; another one takes its place."""
        held = tuple((job.job_id, job.attempt) for job in self.held.values())
        self.held.clear()
        lost, self.worker = self.worker, self.worker + "+"
        event = WorkerLost(worker=lost, reason=_as_notice(reason), jobs=held, counts=counts)
        self.send_event(event, lost)

    def _pop(self, job_id: str | None) -> SubmitJob:
        return self.held.pop(job_id or self.job.job_id)

    def send_event(self, event: Event, worker: str | None = None) -> None:
        self._events.put_nowait((worker or self.worker, event))

    def _image(
        self, job: SubmitJob, number: int, size: tuple[int, int], colour: str, file: bytes | None
    ) -> OutputFile:
        path = self.outbox / f"{job.job_id}-{job.attempt}-{number}.png"
        infotext = self.infotext or f"{job.params.get('prompt', '')}\nSteps: 20, Seed: {number}"
        info = PngInfo()
        info.add_text("parameters", infotext)
        Image.new("RGB", size, colour).save(path, pnginfo=info)
        if file is not None:
            path.write_bytes(file)
        return OutputFile(
            path=str(path),
            width=size[0],
            height=size[1],
            media_type="image/png",
            seed=int(job.params.get("seed", 0)) + number,
            infotext=infotext,
        )

    def _copy(
        self, job: SubmitJob, size: tuple[int, int], data: bytes, quality: int
    ) -> DisplayCopy:
        path = self.outbox / f"{job.job_id}-{job.attempt}-copy.webp"
        path.write_bytes(data)
        return DisplayCopy(
            path=str(path),
            width=size[0],
            height=size[1],
            media_type="image/webp",
            quality=quality,
        )


def _as_notice(words: str | Notice) -> Notice:
    return words if isinstance(words, Notice) else Notice(words)
