"""What a job's price is made from besides its options: its picture's size and its model's."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from inference.jobs import Job
from inference.jobs.price import NATURAL
from inference.service.contract import WorkerStatus

#: Bytes at a PNG's beginning that hold its signature, width and height.
PNG_HEADER = 24
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_size(header: bytes) -> tuple[int, int] | None:
    """Read width and height from the first bytes of a PNG; None for anything else."""
    if len(header) < PNG_HEADER or not header.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack(">II", header[16:PNG_HEADER])
    return (width, height) if width and height else None


def natural_side(job: Job, workers: Iterable[WorkerStatus]) -> int:
    """Return the side of the job's model's own pictures, in pixels, as far as workers tell."""
    asked = str(getattr(job, "model", ""))
    known = [model for worker in workers for model in worker.models if model.kind == "diffusion"]
    sizes = [model.size for model in known if model.name == asked] or [m.size for m in known]
    return sizes[0] if sizes and sizes[0] > 0 else NATURAL
