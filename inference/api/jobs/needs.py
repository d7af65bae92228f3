"""What a worker must have on its disk for a job: by the names that the job gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference.api.errors import JobError
from inference.api.jobs.base import DenoisingJob, Job
from inference.api.jobs.control import CONTROL_KIND, ControlledJob
from inference.api.jobs.kinds import (
    JOB_TYPES,
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InterrogateJob,
    LoopbackJob,
    UpscaleJob,
    decode_job,
)
from inference.api.jobs.price import PLAIN_RESAMPLERS
from inference.api.messages import COLOURISER_KIND, FACE_RESTORER_KIND, ModelInfo
from inference.api.prompts.extra_networks import take_networks

_FILE_ENDING = re.compile(r"\.safetensors$", re.IGNORECASE)
#: Which model describes a picture, by what is asked for.
DESCRIBER_KINDS = {"caption": "captioner", "tags": "tagger"}


@dataclass(frozen=True, order=True)
class ModelNeed:
    """A model of some kind that a job names; an empty name stands for any of the kind."""

    kind: str
    name: str

    def is_met_by(self, models: frozenset[ModelNeed]) -> bool:
        """Say whether one of these is meant."""
        if self.name:
            return self in models
        return any(model.kind == self.kind for model in models)


def read_model_needs(kind: str, params: Mapping[str, Any]) -> frozenset[ModelNeed]:
    """Read what a stored job names, without what its wildcards may draw; nothing where it is odd.

    The host's own checkpoint is no need: no worker starts without it.
    """
    try:
        job = decode_job(kind, params)
    except JobError:
        return frozenset()
    return frozenset(ModelNeed(need.kind, _plain_name(need.name)) for need in _list_needs(job))


def named_checkpoint(kind: str, params: Mapping[str, Any]) -> str | None:
    """Name the checkpoint that a stored job runs, or None; the host's own has an empty name."""
    job_type = JOB_TYPES.get(kind, Job)
    if issubclass(job_type, DenoisingJob) or params.get("mode") == "redraw":
        return str(params.get("model") or "")
    return None


def as_offer(model: ModelInfo) -> ModelNeed:
    """Say which need a model meets."""
    return ModelNeed(model.kind, _plain_name(model.name))


def _list_needs(job: Job) -> Iterator[ModelNeed]:
    yield from _network_needs(job)
    match job:
        case DenoisingJob():
            yield from _checkpoint_needs(job.model, job.prompt)
            if isinstance(job, ImagineJob | Img2ImgJob):
                yield from _checkpoint_needs(job.refiner, "")
            if isinstance(job, ImagineJob) and job.has_hires_fix:
                yield from _checkpoint_needs("", job.hires_prompt)
                yield from _upscaler_needs(job.hires_upscaler)
            if isinstance(job, LoopbackJob) and job.append in DESCRIBER_KINDS:
                yield ModelNeed(DESCRIBER_KINDS[job.append], "")
        case UpscaleJob():
            yield from _upscaler_needs(job.upscaler)
            if job.visibility > 0:
                yield from _upscaler_needs(job.second)
            if job.mode == "redraw":
                yield from _checkpoint_needs(job.model, job.prompt)
        case InterrogateJob():
            yield ModelNeed(DESCRIBER_KINDS[job.method], job.model)
        case ExplainJob():
            yield from _checkpoint_needs(job.model, job.prompt)


def _network_needs(job: Job) -> Iterator[ModelNeed]:
    if isinstance(job, ControlledJob) and job.has_control:
        yield ModelNeed(CONTROL_KIND, job.control_model)
    if name := str(getattr(job, "restore_faces", "")):
        yield ModelNeed(FACE_RESTORER_KIND, name)
    if name := str(getattr(job, "colourise", "")):
        yield ModelNeed(COLOURISER_KIND, name)


def _checkpoint_needs(checkpoint: str, prompt: str) -> Iterator[ModelNeed]:
    if checkpoint:
        yield ModelNeed("diffusion", checkpoint)
    for network in take_networks(prompt)[1]:
        if network.is_lora and network.name:
            yield ModelNeed("lora", network.name)


def _upscaler_needs(upscaler: str) -> Iterator[ModelNeed]:
    if upscaler and upscaler not in PLAIN_RESAMPLERS:
        yield ModelNeed("upscaler", upscaler)


def _plain_name(name: str) -> str:
    """Reduce a name to what it shares with every way in which a worker finds the same file."""
    path = _FILE_ENDING.sub("", name.strip().replace("\\", "/"))
    return path.rpartition("/")[2].strip().casefold()
