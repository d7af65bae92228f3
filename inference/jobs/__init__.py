"""Job types: what can be asked of the GPU, in inference's own language (standard library only)."""

from inference.jobs.base import Denoising, Editing, Job
from inference.jobs.fields import Choice, Flag, Number, Option, Words, options
from inference.jobs.kinds import (
    KINDS,
    Explain,
    Imagine,
    Img2Img,
    Inpaint,
    Interrogate,
    Loopback,
    Outpaint,
    Preview,
    Upscale,
    decode,
)
from inference.jobs.price import price

__all__ = [
    "KINDS",
    "Choice",
    "Denoising",
    "Editing",
    "Explain",
    "Flag",
    "Imagine",
    "Img2Img",
    "Inpaint",
    "Interrogate",
    "Job",
    "Loopback",
    "Number",
    "Option",
    "Outpaint",
    "Preview",
    "Upscale",
    "Words",
    "decode",
    "options",
    "price",
]
