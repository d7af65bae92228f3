"""What a job costs: the multiply-adds its network calls ask for, known before it runs.

The unit is one *megapixel-pass*: one call of the denoising network over a million pixels. Other
work is expressed in it by the ratio of published operation counts (a VAE decode of 512 x 512 asks
for 2.52 TFLOP where one UNet call asks for 0.80; RRDBNet for 9.40).
"""

from __future__ import annotations

from inference.jobs.base import Denoising, Job
from inference.jobs.kinds import Interrogate, Loopback, Outpaint, Upscale
from inference.jobs.names import TWO_CALL_SAMPLERS

#: Pixels of a job whose size the worker decides: the common 512 x 512.
DEFAULT_PIXELS = 512 * 512
#: VAE encode plus decode, in network calls over the same pixels.
VAE_PASSES = 4.5
#: One pass of a heavy upscaler (RRDBNet) over its input, in network calls over the same pixels.
UPSCALE_PASSES = 11.7
#: One caption and ranking, in megapixel-passes.
INTERROGATE_COST = 1.0
#: What asks nothing of a network.
TEXT_COST = 0.001


def price(job: Job) -> float:
    """Price a job in megapixel-passes, always above zero."""
    if isinstance(job, Denoising):
        return _denoising(job)
    if isinstance(job, Upscale):
        return _upscale(job)
    if isinstance(job, Interrogate):
        return INTERROGATE_COST
    return TEXT_COST


def _denoising(job: Denoising) -> float:
    width = getattr(job, "width", None)
    height = getattr(job, "height", None)
    megapixels = (width * height if width and height else DEFAULT_PIXELS) / 1e6
    passes = _calls(job) + VAE_PASSES
    runs = job.loops if isinstance(job, Loopback) else 2 if isinstance(job, Outpaint) else 1
    return megapixels * passes * runs * job.batch


def _upscale(job: Upscale) -> float:
    megapixels = DEFAULT_PIXELS / 1e6
    cost = megapixels * UPSCALE_PASSES
    if job.mode == "redraw":
        cost += megapixels * job.factor**2 * (_calls(job) + VAE_PASSES)
    return cost


def _calls(job: Denoising | Upscale) -> int:
    """Count network rows: two a call with guidance, two calls a step for some samplers."""
    rows = 1 if job.guidance == 1 else 2
    return job.steps * rows * (2 if job.sampler in TWO_CALL_SAMPLERS else 1)
