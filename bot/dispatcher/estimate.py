"""What a job will cost: from its options and sizes, and from what jobs like it came to."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Mapping

from inference.jobs import Denoising, Job, decode, price
from inference.jobs.price import NATURAL
from inference.service import Service
from storage.blobs import BlobStore
from storage.records import JobRecord

#: Bytes at a PNG's beginning that hold its signature, width and height.
PNG_HEADER = 24
#: How much of a known ratio the next job of the kind changes.
NEWEST = 0.3
#: Kinds of work that are known; the one that came longest ago is forgotten.
MOST = 1024
#: What two jobs must share for the one to say what the other will cost.
ALIKE = ("model", "upscaler", "second", "mode", "method", "area")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Estimator:
    """Prices jobs; remembers how large each model's own pictures are while no worker is up."""

    def __init__(self, blobs: BlobStore, service: Service) -> None:
        self._blobs = blobs
        self._service = service
        self._sides: dict[str, int] = {}
        #: What came by what was thought, for each kind of work, and for a model's jobs in general.
        self._ratios: dict[tuple[str, ...], float] = {}

    async def cost(self, job: Job, inputs: Mapping[str, str]) -> float:
        """Price a job whose pictures are stored under these keys, in TFLOP."""
        known = (self._ratios[name] for name in _alike(job) if name in self._ratios)
        return await self._thought(job, inputs) * next(known, 1.0)

    async def ended(self, record: JobRecord) -> bool:
        """Learn from a job that is done, not from one that ran only in part.

        True when it is the first of its model to tell what the model's pictures come to.
        """
        if record.attempt > 1 or record.stopping or record.charged in (0.0, record.cost):
            return False
        job = decode(record.kind, record.params)
        ratio = record.charged / await self._thought(job, record.inputs)
        names = _alike(job)
        first = len(names) > 1 and names[-1] not in self._ratios
        for name in names:
            known = self._ratios.pop(name, ratio)
            self._ratios[name] = known + NEWEST * (ratio - known)
        while len(self._ratios) > MOST:
            self._ratios.pop(next(iter(self._ratios)))
        return first

    async def _thought(self, job: Job, inputs: Mapping[str, str]) -> float:
        source = await asyncio.to_thread(self._size, inputs.get("image"))
        return price(job, source, self.natural_side(job))

    def natural_side(self, job: Job) -> int:
        """Return the side of the job's model's own pictures, in pixels, as workers told it."""
        for worker in self._service.workers:
            told = (model for model in worker.models if model.kind == "diffusion")
            self._sides.update({model.name: model.size for model in told if model.size > 0})
        own = next(iter(self._sides.values()), NATURAL)
        return self._sides.get(str(getattr(job, "model", "")), own)

    def _size(self, key: str | None) -> tuple[int, int] | None:
        """Read a stored picture's size out of its header; None where there is none to read."""
        if key is None:
            return None
        with contextlib.suppress(OSError), self._blobs.path(key).open("rb") as file:
            return png_size(file.read(PNG_HEADER))
        return None


def _alike(job: Job) -> tuple[tuple[str, ...], ...]:
    """Name what other jobs say what this one costs, the nearest first: its like, its model's."""
    like = (job.kind, *(str(getattr(job, name, "")) for name in ALIKE))
    return (like, (job.model,)) if isinstance(job, Denoising) else (like,)


def png_size(header: bytes) -> tuple[int, int] | None:
    """Read width and height from the first bytes of a PNG; None for anything else."""
    if len(header) < PNG_HEADER or not header.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack(">II", header[16:PNG_HEADER])
    return (width, height) if width and height else None
