"""Job types: what can be asked of the GPU, in inference's own language (standard library only)."""

from inference.api.jobs.base import (
    BooleanSpec,
    ChoiceSpec,
    DenoisingJob,
    EditingJob,
    Job,
    JobOption,
    NumberSpec,
    TextSpec,
    list_job_options,
)
from inference.api.jobs.control import ControlledJob
from inference.api.jobs.kinds import (
    JOB_TYPES,
    REDRAW_OPTIONS,
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
    decode_job,
)
from inference.api.jobs.price import estimate_cost

__all__ = [
    "JOB_TYPES",
    "REDRAW_OPTIONS",
    "BooleanSpec",
    "ChoiceSpec",
    "ControlledJob",
    "DenoisingJob",
    "EditingJob",
    "ExplainJob",
    "ImagineJob",
    "Img2ImgJob",
    "InpaintJob",
    "InterrogateJob",
    "Job",
    "JobOption",
    "LoopbackJob",
    "NumberSpec",
    "OutpaintJob",
    "PreviewJob",
    "TextSpec",
    "UpscaleJob",
    "decode_job",
    "estimate_cost",
    "list_job_options",
]
