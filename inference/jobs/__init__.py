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
    "Upscale",
    "Words",
    "decode",
    "options",
    "price",
]
