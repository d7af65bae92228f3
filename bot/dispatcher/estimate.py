"""What a job will cost: from its options and sizes, and from what jobs like it came to."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Mapping

from inference.api.jobs import DenoisingJob, Job, decode_job, estimate_cost
from inference.api.jobs.price import DEFAULT_NATIVE_SIDE
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.records import JobRecord

#: Bytes at a PNG's beginning that hold its signature, width and height.
PNG_HEADER_BYTES = 24
#: How much of a known ratio the next job of the kind changes.
NEWEST_RATIO_WEIGHT = 0.3
#: Kinds of work that are known; the one that came longest ago is forgotten.
MAX_KNOWN_RATIOS = 1024
#: What two jobs must share for the one to say what the other will cost.
SIMILARITY_FIELDS = ("model", "upscaler", "second", "mode", "method", "area")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class CostEstimator:
    """Prices jobs; remembers how large each model's own pictures are while no worker is up."""

    def __init__(self, blobs: BlobStore, service: WorkerPool) -> None:
        self._blobs = blobs
        self._service = service
        self._sides: dict[str, int] = {}
        #: What came by what was thought, for each kind of work, and for a model's jobs in general.
        self._ratios: dict[tuple[str, ...], float] = {}

    async def job_cost(self, job: Job, inputs: Mapping[str, str]) -> float:
        """Price a job whose pictures are stored under these keys, in TFLOP."""
        known_ratios = (self._ratios[name] for name in _ratio_keys(job) if name in self._ratios)
        return await self._predicted_cost(job, inputs) * next(known_ratios, 1.0)

    async def learn_from(self, record: JobRecord) -> bool:
        """Learn from a job that is done, not from one that ran only in part.

        True when it is the first of its model to tell what the model's pictures come to.
        """
        if record.attempt > 1 or record.stopping or record.charged in (0.0, record.cost):
            return False
        job = decode_job(record.kind, record.params)
        ratio = record.charged / await self._predicted_cost(job, record.inputs)
        ratio_keys = _ratio_keys(job)
        is_first_of_model = len(ratio_keys) > 1 and ratio_keys[-1] not in self._ratios
        for ratio_key in ratio_keys:
            old_ratio = self._ratios.pop(ratio_key, ratio)
            self._ratios[ratio_key] = old_ratio + NEWEST_RATIO_WEIGHT * (ratio - old_ratio)
        while len(self._ratios) > MAX_KNOWN_RATIOS:
            self._ratios.pop(next(iter(self._ratios)))
        return is_first_of_model

    async def _predicted_cost(self, job: Job, inputs: Mapping[str, str]) -> float:
        source = await asyncio.to_thread(self._stored_image_size, inputs.get("image"))
        return estimate_cost(job, source, self.native_size(job))

    def native_size(self, job: Job) -> int:
        """Return the side of the job's model's own pictures, in pixels, as workers told it."""
        for worker in self._service.worker_statuses:
            diffusion_models = (model for model in worker.models if model.kind == "diffusion")
            self._sides.update(
                {model.name: model.size for model in diffusion_models if model.size > 0}
            )
        default_size = next(iter(self._sides.values()), DEFAULT_NATIVE_SIDE)
        return self._sides.get(str(getattr(job, "model", "")), default_size)

    def _stored_image_size(self, key: str | None) -> tuple[int, int] | None:
        """Read a stored picture's size out of its header; None where there is none to read."""
        if key is None:
            return None
        with contextlib.suppress(OSError), self._blobs.path_of(key).open("rb") as file:
            return png_size(file.read(PNG_HEADER_BYTES))
        return None


def _ratio_keys(job: Job) -> tuple[tuple[str, ...], ...]:
    """Name what other jobs say what this one costs, the nearest first: its like, its model's."""
    similarity_key = (job.kind, *(str(getattr(job, name, "")) for name in SIMILARITY_FIELDS))
    return (similarity_key, (job.model,)) if isinstance(job, DenoisingJob) else (similarity_key,)


def png_size(header: bytes) -> tuple[int, int] | None:
    """Read width and height from the first bytes of a PNG; None for anything else."""
    if len(header) < PNG_HEADER_BYTES or not header.startswith(_PNG_SIGNATURE):
        return None
    width, height = struct.unpack(">II", header[16:PNG_HEADER_BYTES])
    return (width, height) if width and height else None
