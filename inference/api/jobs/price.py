"""What a job costs: the floating point operations its networks run, thought before it runs.

The unit is a TFLOP: 10^12 operations, a multiply-add being two. What a worker counts replaces the
thought (see `inference.runtime.flops`). For that, work is first added up in *megapixel-passes*, one
being a row of the denoising network over a million pixels, at the ratios of Stable Diffusion 1's
networks and RRDBNet over 512 x 512: 0.80 TFLOP a row, 1.12 an encoding, 2.51 a decoding, 9.40 an
enlargement. How far a checkpoint is from that, the bot learns from its jobs that ran.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.api.jobs import sizes as canvases
from inference.api.jobs.base import DenoisingJob, EditingJob, Job
from inference.api.jobs.kinds import (
    ImagineJob,
    InpaintJob,
    InterrogateJob,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
)
from inference.api.jobs.names import TIMESTEP_SAMPLERS, TWO_CALL_SAMPLERS
from inference.api.jobs.sizes import LATENT_CELL_PIXELS, Margins, Size

#: Side of a model's own pictures where nobody knows the model: the common 512.
DEFAULT_NATIVE_SIDE = 512
#: TFLOP of a megapixel-pass of Stable Diffusion 1, as counted at 512 x 512.
TFLOP_PER_PASS = 3.06
#: Operations of a TFLOP.
OPERATIONS_PER_TFLOP = 1e12
#: VAE encode and decode, in network rows over the same pixels.
VAE_ENCODE_ROWS, VAE_DECODE_ROWS = 1.39, 3.13
#: One pass of a heavy upscaler (RRDBNet) over its input, in network rows over the same pixels.
UPSCALE_PASSES = 11.7
#: Enlarging without a network.
PLAIN_RESAMPLERS = ("lanczos", "nearest", "latent")
#: One caption and ranking, in megapixel-passes.
INTERROGATE_COST = 1.0
#: What asks nothing of a network.
TEXT_COST = 0.001

CONJUNCTION_PATTERN = re.compile(r"\bAND\b")


@dataclass(frozen=True)
class DenoisePass:
    """A denoising of one picture: its size, and rows of the network."""

    size: Size
    rows: int
    #: Encodings and decodings of the VAE beside it, in network rows.
    vae: float = VAE_ENCODE_ROWS + VAE_DECODE_ROWS

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.size[0] * self.size[1] / 1e6


def estimate_cost(
    job: Job, source: Size | None = None, natural: int = DEFAULT_NATIVE_SIDE
) -> float:
    """Price a job in TFLOP of a model of Stable Diffusion 1's make, always above zero.

    Args:
        job: what is asked.
        source: size of its picture in pixels; a square of the model's own size unless known.
        natural: side of the model's own pictures, in pixels.
    """
    if isinstance(job, InterrogateJob):
        return TFLOP_PER_PASS * INTERROGATE_COST
    size = source or (natural, natural)
    cost = sum(
        run.megapixels * (run.rows + run.vae) for run in list_denoise_passes(job, size, natural)
    )
    return TFLOP_PER_PASS * max(TEXT_COST, cost + _auxiliary_cost(job, size, natural))


def list_denoise_passes(job: Job, source: Size, natural: int) -> Iterator[DenoisePass]:
    """List the denoisings that a job comes to."""
    if isinstance(job, UpscaleJob):
        yield from _redraw_passes(job, source, natural)
    if not isinstance(job, DenoisingJob):
        return
    for _ in range(job.batch):
        match job:
            case ImagineJob():
                yield from _imagine_passes(job, natural)
            case OutpaintJob():
                yield from _outpaint_passes(job, source, natural)
            case LoopbackJob():
                yield from _loopback_passes(job, _working_size(job, source, natural))
            case InpaintJob():
                yield DenoisePass(
                    _working_size(job, source, natural), _edit_rows(job, job.strength)
                )
            case EditingJob():
                yield DenoisePass(
                    _working_size(job, source, natural), _edit_rows(job, job.strength)
                )


def _imagine_passes(job: ImagineJob, natural: int) -> Iterator[DenoisePass]:
    size = canvases.target_size(job.width, job.height, None, natural)
    scaled_size = (job.hires_scale * size[0], job.hires_scale * size[1])
    large = (canvases.round_to_latent(scaled_size[0]), canvases.round_to_latent(scaled_size[1]))
    hires = large != size
    is_decoded = not hires or job.hires_upscaler != "latent"
    yield DenoisePass(
        size,
        _network_rows(job, _executed_steps(job.sampler, job.steps, None)),
        VAE_DECODE_ROWS if is_decoded else 0.0,
    )
    if hires:
        steps = _executed_steps(job.sampler, job.hires_steps or job.steps, job.hires_strength)
        yield DenoisePass(
            large,
            _network_rows(job, steps),
            VAE_DECODE_ROWS + (VAE_ENCODE_ROWS if is_decoded else 0.0),
        )


def _working_size(job: EditingJob, source: Size, natural: int) -> Size:
    """Return the size worked at; a mask's edge may reach all over the picture."""
    edge = isinstance(job, InpaintJob) and job.area == "mask edge" and not (job.width or job.height)
    if edge and source[0] * source[1] > natural**2:
        return source
    return canvases.target_size(job.width, job.height, source, natural)


def _loopback_passes(job: LoopbackJob, size: Size) -> Iterator[DenoisePass]:
    """One run a loop; its strength lies between the first and the last, whatever the curve."""
    for number in range(job.loops):
        share = number / (job.loops - 1) if job.loops > 1 else 0.0
        strength = job.strength + (job.final_strength - job.strength) * share
        yield DenoisePass(size, _edit_rows(job, strength))


def _outpaint_passes(job: OutpaintJob, source: Size, natural: int) -> Iterator[DenoisePass]:
    amounts = Margins(job.left, job.right, job.up, job.down)
    if job.preset != "custom":
        amounts = canvases.PRESET_MARGINS[job.preset](*source)
    tile = (
        canvases.round_to_latent(job.width or natural),
        canvases.round_to_latent(job.height or natural),
    )
    sizes = _mk2_sizes if job.method == "mk2" else _poor_mans_sizes
    for size in sizes(source, amounts, tile):
        yield DenoisePass(size, _edit_rows(job, job.strength))


def _mk2_sizes(source: Size, amounts: Margins, tile: Size) -> Iterator[Size]:
    """One pass a side and part: at most a tile along the growing axis, all of the other."""
    width, height = source
    _, left, right = canvases.grow_axis(width, amounts.left, amounts.right)
    _, up, down = canvases.grow_axis(height, amounts.up, amounts.down)
    for side in (left, right):
        for amount in canvases.split_evenly(side, tile[0] // 2):
            width += amount
            yield min(tile[0], canvases.round_up(width)), canvases.round_up(height)
    for side in (up, down):
        for amount in canvases.split_evenly(side, tile[1] // 2):
            height += amount
            yield canvases.round_up(width), min(tile[1], canvases.round_up(height))


def _poor_mans_sizes(source: Size, amounts: Margins, tile: Size) -> Iterator[Size]:
    """One run a tile that holds anything new."""
    canvas_width, left_margin, _ = canvases.grow_axis(source[0], amounts.left, amounts.right)
    canvas_height, top_margin, _ = canvases.grow_axis(source[1], amounts.up, amounts.down)
    width, height = min(tile[0], canvas_width), min(tile[1], canvas_height)
    largest_margin = max(amounts.left, amounts.right, amounts.up, amounts.down)
    overlap = min(largest_margin, width // 2, height // 2)
    for y in canvases.compute_tile_offsets(canvas_height, height, overlap):
        for x in canvases.compute_tile_offsets(canvas_width, width, overlap):
            is_old_across = x >= left_margin and x + width <= left_margin + source[0]
            if not (is_old_across and y >= top_margin and y + height <= top_margin + source[1]):
                yield width, height


def _redraw_passes(job: UpscaleJob, source: Size, natural: int) -> Iterator[DenoisePass]:
    if job.mode != "redraw":
        return
    width, height = (
        canvases.round_up(side, LATENT_CELL_PIXELS) for side in _upscaled_size(job, source)
    )
    tile = (min(natural, width), min(natural, height))
    overlap = min(job.overlap, tile[0] // 2, tile[1] // 2)
    rows = _network_calls(job.sampler, _executed_steps(job.sampler, job.steps, job.strength))
    rows *= _rows_per_call(job.prompt, job.guidance)
    for _ in canvases.compute_tile_offsets(height, tile[1], overlap):
        for _ in canvases.compute_tile_offsets(width, tile[0], overlap):
            yield DenoisePass(tile, rows)


def _upscaled_size(job: UpscaleJob, source: Size) -> Size:
    width, height = _requested_size(job, source)
    share = min(1.0, (job.max_side or math.inf) / max(width, height))
    return int(width * share), int(height * share)


def _requested_size(job: UpscaleJob, source: Size) -> Size:
    if not (job.width or job.height):
        return int(source[0] * job.factor), int(source[1] * job.factor)
    scale = max((job.width or 1) / source[0], (job.height or 1) / source[1])
    if job.crop and job.width and job.height:
        return job.width, job.height
    return round(source[0] * scale), round(source[1] * scale)


def _auxiliary_cost(job: Job, source: Size, natural: int) -> float:
    """Price what is no denoising, in megapixel-passes: networks that enlarge, words of a loop."""
    area = source[0] * source[1] / 1e6
    if isinstance(job, UpscaleJob):
        upscalers = [name for name in (job.upscaler, job.second) if name]
        return (
            area * UPSCALE_PASSES * sum(name.lower() not in PLAIN_RESAMPLERS for name in upscalers)
        )
    if isinstance(job, LoopbackJob) and job.append != "none":
        return INTERROGATE_COST * job.loops * job.batch
    if isinstance(job, ImagineJob) and job.hires_upscaler.lower() not in PLAIN_RESAMPLERS:
        size = canvases.target_size(job.width, job.height, None, natural)
        is_enlarged = job.hires_scale > 1
        return size[0] * size[1] / 1e6 * UPSCALE_PASSES * job.batch * is_enlarged
    return 0.0


def _edit_rows(job: EditingJob, strength: float) -> int:
    return _network_rows(
        job, _executed_steps(job.sampler, job.steps, strength, exact=job.exact_steps)
    )


def _network_rows(job: DenoisingJob, steps: int) -> int:
    return _network_calls(job.sampler, steps) * _rows_per_call(job.prompt, job.guidance)


def _rows_per_call(prompt: str, guidance: float) -> int:
    """Count the rows of a call: one for each part of the prompt, one more that guides away."""
    return len(CONJUNCTION_PATTERN.findall(prompt)) + 1 + (guidance > 1)


def _executed_steps(sampler: str, steps: int, strength: float | None, *, exact: bool = True) -> int:
    """Count the steps that run: a share of those asked for, or exactly as many."""
    if strength is None or (exact and strength > 0):
        return steps
    if strength == 0:
        return 0
    return int(min(strength, 0.999) * steps) + (sampler not in TIMESTEP_SAMPLERS)


def _network_calls(sampler: str, steps: int) -> int:
    """Count the calls of a run; some samplers call twice a step, but once in the last."""
    if steps == 0:
        return 0
    return 2 * steps - 1 if sampler in TWO_CALL_SAMPLERS else steps + (sampler == "PLMS")
