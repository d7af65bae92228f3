"""What an operation may ask of its surroundings: which models there are and what they are like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import DenoisingJob, ImagineJob, Img2ImgJob, InpaintJob, UpscaleJob
from inference.api.jobs.kinds import RestoringJob
from inference.api.messages import (
    COLOURISER_KIND,
    FACE_RESTORER_KIND,
    INSTRUCT_ROLE,
    REFINER_ROLE,
)
from inference.engine.work import WorkRequest
from inference.model_library import ModelLibrary
from inference.sampling.flow_table import FLOW_SCHEDULES
from inference.sampling.sampler_traits import SAMPLER_TRAITS

Images = Mapping[str, Image.Image]
#: A picture and `caption` or `tags` → what it shows, in words; asks the engine meanwhile.
ImageDescriber = Callable[[Image.Image, str], Generator[WorkRequest, list[Any], str]]


RefinableJob = TypeVar("RefinableJob", ImagineJob, Img2ImgJob)


@dataclass(frozen=True)
class OperationContext:
    """The models at hand."""

    library: ModelLibrary
    #: Pixels of the largest picture a job may ask for.
    max_pixels: int = 2048 * 2048
    #: How pictures are put into words; None where nothing here can.
    describe: ImageDescriber | None = None
    #: The host's lists of words, which prompts draw from.
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def resolve_model(self, job: DenoisingJob | UpscaleJob) -> str:
        """Name the checkpoint that a job runs: an empty name is the host's own.

        Raises:
            UnknownModel: there is none of that name.
            JobError: it is made for another kind of job.
        """
        name = self.library.resolve_name(job.model)
        role = self.library.checkpoint_role(name)
        if role == REFINER_ROLE:
            raise JobError("model", "model.refines_only", name=name)
        if role == INSTRUCT_ROLE and not isinstance(job, Img2ImgJob | InpaintJob):
            raise JobError("model", "model.instructs_only", name=name, kind=job.kind)
        self._check_flow_settings(job, name)
        return name

    def _check_flow_settings(self, job: DenoisingJob | UpscaleJob, name: str) -> None:
        """Refuse samplers and schedules that mean nothing for a network that predicts a flow.

        Raises:
            JobError: one of them does not.
        """
        family = self.library.flow_family(name)
        if family is None:
            return
        pairs = [(job.sampler, job.schedule)]
        if isinstance(job, ImagineJob) and job.has_hires_fix:
            pairs.append((job.second_pass.sampler, job.second_pass.schedule))
        for sampler, schedule in pairs:
            values = {"name": name, "family": family.title}
            if not SAMPLER_TRAITS[sampler].suits_flow:
                raise JobError("sampler", "flow.sampler", sampler=sampler, **values)
            if schedule not in FLOW_SCHEDULES:
                schedules = ", ".join(FLOW_SCHEDULES)
                raise JobError(
                    "schedule", "flow.schedule", schedule=schedule, schedules=schedules, **values
                )

    def resolve_refiner(self, job: RefinableJob, model: str) -> RefinableJob:
        """Give the job with the checkpoint's own name of its refiner, if it has one.

        Raises:
            UnknownModel: there is none of that name.
            JobError: it cannot go on from the model's latents.
        """
        if not job.refiner:
            return job
        refiner = self.library.resolve_name(job.refiner)
        if not self.library.can_refine(refiner, model):
            raise JobError("refiner", "model.other_latents", refiner=refiner, model=model)
        return dataclasses.replace(job, refiner=refiner)

    def check_restorers(self, job: RestoringJob) -> None:
        """See that the networks that a job's pictures are to be restored by can be run.

        Raises:
            ModelError: one is not there, or not for this host.
        """
        if job.restore_faces:
            self.library.restorers.resolve_name(job.restore_faces, FACE_RESTORER_KIND)
        if isinstance(job, UpscaleJob) and job.colourise:
            self.library.restorers.resolve_name(job.colourise, COLOURISER_KIND)

    def refiner_values(self, job: ImagineJob | Img2ImgJob) -> dict[str, object]:
        """Give what a picture's text says of its refiner."""
        if not job.refiner:
            return {}
        digest = self.library.checkpoint_hash(job.refiner)
        return {
            "Refiner": f"{job.refiner} [{digest}]" if digest else job.refiner,
            "Refiner switch at": job.refiner_switch,
        }
