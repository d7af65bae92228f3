"""What a job costs: the floating point operations its networks run, thought before it runs.

The unit is a TFLOP: 10^12 operations, a multiply-add being two. What a worker counts replaces the
thought (see `inference.engine.flops`). For that, work is first added up in *megapixel-passes*, one
being a row of the denoising network over a million pixels, at the ratios of Stable Diffusion 1's
networks and RRDBNet over 512 x 512: 0.80 TFLOP a row, 1.12 an encoding, 2.51 a decoding, 9.40 an
enlargement. How far a checkpoint is from that, the bot learns from its jobs that ran.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.jobs import canvases
from inference.jobs.base import Denoising, Editing, Job
from inference.jobs.canvases import CELL, Amounts, Size
from inference.jobs.kinds import Imagine, Inpaint, Interrogate, Loopback, Outpaint, Upscale
from inference.jobs.names import TIMESTEP_SAMPLERS, TWO_CALL_SAMPLERS

#: Side of a model's own pictures where nobody knows the model: the common 512.
NATURAL = 512
#: TFLOP of a megapixel-pass of Stable Diffusion 1, as counted at 512 x 512.
PASS = 3.06
#: Operations of a TFLOP.
TERA = 1e12
#: VAE encode and decode, in network rows over the same pixels.
ENCODE, DECODE = 1.39, 3.13
#: One pass of a heavy upscaler (RRDBNet) over its input, in network rows over the same pixels.
UPSCALE_PASSES = 11.7
#: Enlarging without a network.
RESAMPLERS = ("lanczos", "nearest", "latent")
#: One caption and ranking, in megapixel-passes.
INTERROGATE_COST = 1.0
#: What asks nothing of a network.
TEXT_COST = 0.001

PARTS = re.compile(r"\bAND\b")


@dataclass(frozen=True)
class Run:
    """A denoising of one picture: its size, and rows of the network."""

    size: Size
    rows: int
    #: Encodings and decodings of the VAE beside it, in network rows.
    vae: float = ENCODE + DECODE

    @property
    def area(self) -> float:
        """Millions of pixels."""
        return self.size[0] * self.size[1] / 1e6


def price(job: Job, source: Size | None = None, natural: int = NATURAL) -> float:
    """Price a job in TFLOP of a model of Stable Diffusion 1's make, always above zero.

    Args:
        job: what is asked.
        source: size of its picture in pixels; a square of the model's own size unless known.
        natural: side of the model's own pictures, in pixels.
    """
    if isinstance(job, Interrogate):
        return PASS * INTERROGATE_COST
    size = source or (natural, natural)
    cost = sum(run.area * (run.rows + run.vae) for run in runs(job, size, natural))
    return PASS * max(TEXT_COST, cost + _beside(job, size, natural))


def runs(job: Job, source: Size, natural: int) -> Iterator[Run]:
    """List the denoisings that a job comes to."""
    if isinstance(job, Upscale):
        yield from _redrawn(job, source, natural)
    if not isinstance(job, Denoising):
        return
    for _ in range(job.batch):
        match job:
            case Imagine():
                yield from _imagined(job, natural)
            case Outpaint():
                yield from _outpainted(job, source, natural)
            case Loopback():
                yield from _looped(job, _size(job, source, natural))
            case Inpaint():
                yield Run(_size(job, source, natural), _edit_rows(job, job.strength))
            case Editing():
                yield Run(_size(job, source, natural), _edit_rows(job, job.strength))


def _imagined(job: Imagine, natural: int) -> Iterator[Run]:
    size = canvases.target_size(job.width, job.height, None, natural)
    scaled = (job.hires_scale * size[0], job.hires_scale * size[1])
    large = (canvases.multiple(scaled[0]), canvases.multiple(scaled[1]))
    hires = large != size
    decoded = not hires or job.hires_upscaler != "latent"
    yield Run(size, _rows(job, _steps(job.sampler, job.steps, None)), DECODE if decoded else 0.0)
    if hires:
        steps = _steps(job.sampler, job.hires_steps or job.steps, job.hires_strength)
        yield Run(large, _rows(job, steps), DECODE + (ENCODE if decoded else 0.0))


def _size(job: Editing, source: Size, natural: int) -> Size:
    """Return the size worked at; a mask's edge may reach all over the picture."""
    edge = isinstance(job, Inpaint) and job.area == "mask edge" and not (job.width or job.height)
    if edge and source[0] * source[1] > natural**2:
        return source
    return canvases.target_size(job.width, job.height, source, natural)


def _looped(job: Loopback, size: Size) -> Iterator[Run]:
    """One run a loop; its strength lies between the first and the last, whatever the curve."""
    for number in range(job.loops):
        share = number / (job.loops - 1) if job.loops > 1 else 0.0
        strength = job.strength + (job.final_strength - job.strength) * share
        yield Run(size, _edit_rows(job, strength))


def _outpainted(job: Outpaint, source: Size, natural: int) -> Iterator[Run]:
    amounts = Amounts(job.left, job.right, job.up, job.down)
    if job.preset != "custom":
        amounts = canvases.PRESETS[job.preset](*source)
    tile = (canvases.multiple(job.width or natural), canvases.multiple(job.height or natural))
    sizes = _mk2_sizes if job.method == "mk2" else _poor_mans_sizes
    for size in sizes(source, amounts, tile):
        yield Run(size, _edit_rows(job, job.strength))


def _mk2_sizes(source: Size, amounts: Amounts, tile: Size) -> Iterator[Size]:
    """One pass a side and part: at most a tile along the growing axis, all of the other."""
    width, height = source
    _, left, right = canvases.grow(width, amounts.left, amounts.right)
    _, up, down = canvases.grow(height, amounts.up, amounts.down)
    for side in (left, right):
        for amount in canvases.even_parts(side, tile[0] // 2):
            width += amount
            yield min(tile[0], canvases.round_up(width)), canvases.round_up(height)
    for side in (up, down):
        for amount in canvases.even_parts(side, tile[1] // 2):
            height += amount
            yield canvases.round_up(width), min(tile[1], canvases.round_up(height))


def _poor_mans_sizes(source: Size, amounts: Amounts, tile: Size) -> Iterator[Size]:
    """One run a tile that holds anything new."""
    across, left, _ = canvases.grow(source[0], amounts.left, amounts.right)
    down, up, _ = canvases.grow(source[1], amounts.up, amounts.down)
    width, height = min(tile[0], across), min(tile[1], down)
    asked = max(amounts.left, amounts.right, amounts.up, amounts.down)
    overlap = min(asked, width // 2, height // 2)
    for y in canvases.starts(down, height, overlap):
        for x in canvases.starts(across, width, overlap):
            old_across = x >= left and x + width <= left + source[0]
            if not (old_across and y >= up and y + height <= up + source[1]):
                yield width, height


def _redrawn(job: Upscale, source: Size, natural: int) -> Iterator[Run]:
    if job.mode != "redraw":
        return
    large = _enlarged(job, source)
    width, height = (max(CELL, side // CELL * CELL) for side in large)
    tile = (min(natural, width), min(natural, height))
    overlap = min(job.overlap, tile[0] // 2, tile[1] // 2)
    rows = _calls(job.sampler, _steps(job.sampler, job.steps, job.strength))
    rows *= _conditions(job.prompt, job.guidance)
    for _ in canvases.starts(height, tile[1], overlap):
        for _ in canvases.starts(width, tile[0], overlap):
            yield Run(tile, rows)


def _enlarged(job: Upscale, source: Size) -> Size:
    width, height = _asked(job, source)
    share = min(1.0, (job.max_side or math.inf) / max(width, height))
    return int(width * share), int(height * share)


def _asked(job: Upscale, source: Size) -> Size:
    if not (job.width or job.height):
        return int(source[0] * job.factor), int(source[1] * job.factor)
    scale = max((job.width or 1) / source[0], (job.height or 1) / source[1])
    if job.crop and job.width and job.height:
        return job.width, job.height
    return round(source[0] * scale), round(source[1] * scale)


def _beside(job: Job, source: Size, natural: int) -> float:
    """Price what is no denoising, in megapixel-passes: networks that enlarge, words of a loop."""
    area = source[0] * source[1] / 1e6
    if isinstance(job, Upscale):
        used = [name for name in (job.upscaler, job.second) if name]
        return area * UPSCALE_PASSES * sum(name.lower() not in RESAMPLERS for name in used)
    if isinstance(job, Loopback) and job.append != "none":
        return INTERROGATE_COST * job.loops * job.batch
    if isinstance(job, Imagine) and job.hires_upscaler.lower() not in RESAMPLERS:
        size = canvases.target_size(job.width, job.height, None, natural)
        enlarged = job.hires_scale > 1
        return size[0] * size[1] / 1e6 * UPSCALE_PASSES * job.batch * enlarged
    return 0.0


def _edit_rows(job: Editing, strength: float) -> int:
    return _rows(job, _steps(job.sampler, job.steps, strength, exact=job.exact_steps))


def _rows(job: Denoising, steps: int) -> int:
    return _calls(job.sampler, steps) * _conditions(job.prompt, job.guidance)


def _conditions(prompt: str, guidance: float) -> int:
    """Count the rows of a call: one for each part of the prompt, one more that guides away."""
    return len(PARTS.findall(prompt)) + 1 + (guidance > 1)


def _steps(sampler: str, steps: int, strength: float | None, *, exact: bool = True) -> int:
    """Count the steps that run: a share of those asked for, or exactly as many."""
    if strength is None or (exact and strength > 0):
        return steps
    if strength == 0:
        return 0
    return int(min(strength, 0.999) * steps) + (sampler not in TIMESTEP_SAMPLERS)


def _calls(sampler: str, steps: int) -> int:
    """Count the calls of a run; some samplers call twice a step, but once in the last."""
    if steps == 0:
        return 0
    return 2 * steps - 1 if sampler in TWO_CALL_SAMPLERS else steps + (sampler == "PLMS")
