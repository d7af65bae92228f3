"""What a checkpoint draws best with: options that its jobs take where nobody says them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from inference.api.jobs.base import DenoisingJob, Job, list_job_options
from inference.api.jobs.kinds import UpscaleJob

#: Options that a checkpoint may have a default for.
MODEL_DEFAULT_OPTIONS = ("steps", "guidance", "sampler", "schedule")
#: Where a default comes from: a file beside the checkpoint, the catalogue, what its family needs.
FILE_ORIGIN, CATALOGUE_ORIGIN, FAMILY_ORIGIN = "file", "catalogue", "family"
#: A checkpoint that is at its best at or below this was taught to do without guidance.
MAX_DISTILLED_GUIDANCE = 2.0
#: How far above its own a distilled checkpoint's guidance may lie before pictures burn.
GUIDANCE_SLACK = 1.5


@dataclass(frozen=True)
class ModelDefault:
    """One option of a checkpoint's jobs, as it is where nobody says it."""

    option: str
    value: int | float | str
    #: `FILE_ORIGIN`, `CATALOGUE_ORIGIN` or `FAMILY_ORIGIN`.
    origin: str


def takes_model_defaults(job_type: type[Job], values: Mapping[str, Any]) -> bool:
    """Whether a job of such values paints with a checkpoint."""
    is_redrawn = job_type is UpscaleJob and values.get("mode") == "redraw"
    return is_redrawn or issubclass(job_type, DenoisingJob)


def fill_model_defaults(
    job_type: type[Job], values: Mapping[str, Any], defaults: Collection[ModelDefault]
) -> dict[str, Any]:
    """Fill in what was not said; what such a job does not have is left out."""
    if not takes_model_defaults(job_type, values):
        return dict(values)
    names = {option.name for option in list_job_options(job_type)}
    filled_values = {d.option: d.value for d in defaults if d.option in names}
    return {**filled_values, **values}


def is_guidance_too_high(guidance: float, defaults: Collection[ModelDefault]) -> bool:
    """Whether a guidance burns the pictures of a checkpoint that was taught to do without."""
    own_guidance = next((float(d.value) for d in defaults if d.option == "guidance"), None)
    return (
        own_guidance is not None
        and own_guidance <= MAX_DISTILLED_GUIDANCE
        and guidance > own_guidance + GUIDANCE_SLACK
    )
