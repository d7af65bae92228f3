"""What a job costs: the floating point operations its networks run, thought before it runs.

The unit is a TFLOP: 10^12 operations, a multiply-add being two. What a worker counts replaces the
thought (see `inference.runtime.flops`). The figures are those counted of Stable Diffusion 1's
networks and RRDBNet; how far a checkpoint is from them, the bot learns from its jobs that ran.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from inference.api.jobs import sizes as canvases
from inference.api.jobs.base import DenoisingJob, EditingJob, Job
from inference.api.jobs.control import ControlledJob
from inference.api.jobs.kinds import (
    CaptionedJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
)
from inference.api.jobs.names import (
    ADAPTIVE_CALLS,
    CFG_PP_SAMPLERS,
    TIMESTEP_SAMPLERS,
    TWO_CALL_SAMPLERS,
    count_extra_steps,
)
from inference.api.jobs.sizes import LATENT_CELL_PIXELS, Margins, Size
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.extra_networks import take_networks

#: Side of a model's own pictures where nobody knows the model: the common 512.
DEFAULT_NATIVE_SIDE = 512
#: Operations of a TFLOP.
OPERATIONS_PER_TFLOP = 1e12
#: TFLOP of a network by megapixels and by their square, which attention over all pixels asks for:
#: an entry of the denoising network with one chunk of words, an encoding, a decoding.
NETWORK_TFLOP = (2.60, 1.77)
ENCODE_TFLOP = (4.13, 0.50)
DECODE_TFLOP = (9.46, 0.50)
#: TFLOP that each further chunk of words adds to an entry: whatever the size, and by megapixels.
CHUNK_TFLOP = (0.003, 0.0136)
#: TFLOP of reading one chunk of words.
TEXT_CHUNK_TFLOP = 0.0132
#: Share of the denoising network's work that a LoRA beside it adds, at a common rank.
LORA_SHARE = 0.05
#: Share of the denoising network's work that a ControlNet beside it adds, as counted of Stable
#: Diffusion 1's; SDXL's add 0.45.
CONTROL_SHARE = 0.35
#: How much larger a heavy upscaler (RRDBNet) makes each side, and its TFLOP by megapixels of its
#: input: what is taken of one that nobody knows.
UPSCALER_SCALE = 4
UPSCALE_TFLOP = 35.9
#: How often a network is run on its own result, at most, to reach a size.
MAX_UPSCALER_PASSES = 3
#: Enlarging without a network.
PLAIN_RESAMPLERS = ("lanczos", "nearest", "latent")
#: TFLOP of one caption and ranking.
INTERROGATE_TFLOP = 3.06
#: TFLOP of restoring one face by CodeFormer, of two networks the dearer, and of giving colours.
FACE_TFLOP, COLOURISE_TFLOP = 0.81, 0.13
#: TFLOP that a preview of a megapixel counts as; it takes a processor up to 0.23 s.
PREVIEW_TFLOP = 0.3
#: TFLOP of what asks nothing of a network.
MIN_TFLOP = 0.003

#: Content tokens of a chunk.
CHUNK_TOKENS = 75
BREAK_PATTERN = re.compile(r"\bBREAK\b")
#: What splits a text into about as many tokens as a vocabulary of 49,408 does, and characters of
#: eastern Asia with how many more than one each of them takes.
_TOKEN_PATTERN = re.compile(r"[A-Za-z]{1,7}|[^\sA-Za-z]")
_EASTERN_PATTERN = re.compile(r"[\u2e80-\uffff]")
EASTERN_EXTRA_TOKENS = 1.6
#: What makes another text of a prompt from one step to another: `:when]` and `|`.
_CHANGE_PATTERN = re.compile(r":\s*[+-]?[\d.]+(?:[eE][+-]?\d+)?\s*\]|\|")


class ModelFrame(NamedTuple):
    """What sizes a model's pictures have."""

    #: Side of its own pictures, in pixels.
    natural: int
    #: What sides are multiples of.
    multiple: int


USUAL_FRAME = ModelFrame(DEFAULT_NATIVE_SIDE, LATENT_CELL_PIXELS)


class UpscalerSize(NamedTuple):
    """What one pass of an upscaler comes to."""

    #: How many times larger it makes each side.
    scale: int = UPSCALER_SCALE
    #: TFLOP by megapixels of its input.
    tflop: float = UPSCALE_TFLOP

    def price(self, size: Size, target: Size) -> float:
        """Price enlarging a picture until it covers another size, in TFLOP."""
        if target[0] < size[0] or target[1] < size[1]:
            return 0.0
        width, height = size
        passes = [width * height]
        while (
            self.scale > 1
            and len(passes) < MAX_UPSCALER_PASSES
            and (width * self.scale < target[0] or height * self.scale < target[1])
        ):
            width, height = width * self.scale, height * self.scale
            passes.append(width * height)
        return sum(passes) / 1e6 * self.tflop


Upscalers = Mapping[str, UpscalerSize]
NO_UPSCALERS: Upscalers = MappingProxyType({})


@dataclass(frozen=True)
class PromptSize:
    """What the prompts of a picture come to, as far as can be told without a tokenizer."""

    #: Prompts joined by AND.
    parts: int
    #: Chunks of the longest of them and the negative prompt: all are brought to that length.
    chunks: int
    #: Of each part, chunks; and the texts that its schedule may come to.
    texts: tuple[tuple[int, int], ...]
    loras: int

    def entries(self, guidance: float, sampler: str, *, is_instructed: bool = False) -> int:
        """Count the entries of a network call: one for each part, one more that guides away.

        A network that edits by instructions is always asked for two more, with its picture and
        without.
        """
        if is_instructed:
            return self.parts + 2
        is_guided = guidance != 1 or self.parts > 1 or sampler in CFG_PP_SAMPLERS
        return self.parts + is_guided

    def text_tflop(self, calls: int) -> float:
        """Price reading all texts of a picture of so many network calls."""
        return TEXT_CHUNK_TFLOP * sum(chunks * min(calls, texts) for chunks, texts in self.texts)


@dataclass(frozen=True)
class DenoisePass:
    """A denoising of one picture: its size, and entries of the network in all calls."""

    size: Size
    rows: int
    encodes: bool = True
    decodes: bool = True

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.size[0] * self.size[1] / 1e6

    def price(self, prompt: PromptSize, control_share: float = 0.0) -> float:
        """Price it, in TFLOP; ControlNets add a share to the network's own work."""
        chunk_tflop = CHUNK_TFLOP[0] + CHUNK_TFLOP[1] * self.megapixels
        entry_tflop = _price_pixels(NETWORK_TFLOP, self.megapixels)
        entry_tflop += chunk_tflop * (prompt.chunks - 1)
        vae_tflop = self.encodes * _price_pixels(ENCODE_TFLOP, self.megapixels)
        vae_tflop += self.decodes * _price_pixels(DECODE_TFLOP, self.megapixels)
        text_tflop = prompt.text_tflop(self.rows // prompt.parts)
        control_tflop = self.rows * entry_tflop * control_share
        network_tflop = self.rows * entry_tflop * (1 + LORA_SHARE * prompt.loras) + control_tflop
        return network_tflop + vae_tflop + text_tflop


def estimate_cost(
    job: Job,
    source: Size | None = None,
    natural: int = DEFAULT_NATIVE_SIDE,
    *,
    multiple: int = LATENT_CELL_PIXELS,
    is_instructed: bool = False,
    upscalers: Upscalers = NO_UPSCALERS,
) -> float:
    """Price a job in TFLOP of a model of Stable Diffusion 1's make, always above zero.

    Args:
        job: what is asked.
        source: size of its picture in pixels; a square of the model's own size unless known.
        natural: side of the model's own pictures, in pixels.
        multiple: what sides of the model's pictures are multiples of.
        is_instructed: whether the model edits by instructions.
        upscalers: what a pass of each known network comes to.
    """
    size = source or (natural, natural)
    frame = ModelFrame(natural, multiple)
    cost = _auxiliary_cost(job, size) + _enlarging_cost(job, size, frame, upscalers)
    if isinstance(job, DenoisingJob | UpscaleJob):
        prompt = measure_prompts(job.prompt, job.negative_prompt)
        passes = list_denoise_passes(
            job, size, natural, multiple=multiple, is_instructed=is_instructed
        )
        cost += sum(run.price(prompt, _control_share(job)) for run in passes)
    return max(MIN_TFLOP, cost)


@lru_cache(maxsize=16)
def measure_prompts(prompt: str, negative_prompt: str) -> PromptSize:
    """Look at the prompts of a job, of whose passes each asks."""
    parts = [term.text for term in split_and(take_networks(prompt)[0])]
    texts = tuple(
        (_count_chunks(text), 1 + len(_CHANGE_PATTERN.findall(text)))
        for text in (*parts, negative_prompt)
    )
    chunks = max(chunks for chunks, _ in texts)
    return PromptSize(len(parts), chunks, texts, count_loras(prompt))


def count_loras(prompt: str) -> int:
    """Count the LoRAs that a prompt's tags name."""
    return len({tag.name for tag in take_networks(prompt)[1] if tag.is_lora})


def _count_chunks(text: str) -> int:
    """Count the chunks of a text, by about as many tokens as its words come to."""
    return sum(
        max(1, math.ceil(_count_tokens(part) / CHUNK_TOKENS)) for part in BREAK_PATTERN.split(text)
    )


def _count_tokens(text: str) -> float:
    extra_tokens = EASTERN_EXTRA_TOKENS * len(_EASTERN_PATTERN.findall(text))
    return len(_TOKEN_PATTERN.findall(text)) + extra_tokens


def _price_pixels(tflop: tuple[float, float], megapixels: float) -> float:
    return tflop[0] * megapixels + tflop[1] * megapixels**2


def list_denoise_passes(
    job: Job,
    source: Size,
    natural: int,
    *,
    multiple: int = LATENT_CELL_PIXELS,
    is_instructed: bool = False,
) -> Iterator[DenoisePass]:
    """List the denoisings that a job comes to; `is_instructed` of a model that edits."""
    frame = ModelFrame(natural, multiple)
    if isinstance(job, UpscaleJob):
        yield from _redraw_passes(job, source, frame)
    if not isinstance(job, DenoisingJob):
        return
    for _ in range(job.batch):
        match job:
            case ImagineJob():
                yield from _imagine_passes(job, frame)
            case OutpaintJob():
                yield from _outpaint_passes(job, source, frame)
            case LoopbackJob():
                yield from _loopback_passes(job, _working_size(job, source, frame))
            case EditingJob():
                rows = _edit_rows(job, job.strength, is_instructed=is_instructed)
                yield DenoisePass(_working_size(job, source, frame), rows)


def _imagine_passes(job: ImagineJob, frame: ModelFrame) -> Iterator[DenoisePass]:
    size = canvases.target_size(job.width, job.height, None, *frame)
    is_decoded = not job.has_hires_fix or job.hires_upscaler != "latent"
    yield DenoisePass(
        size,
        _network_rows(job, _executed_steps(job.sampler, job.steps, None, schedule=job.schedule)),
        encodes=False,
        decodes=is_decoded,
    )
    if job.has_hires_fix:
        second = job.second_pass
        steps = _executed_steps(second.sampler, second.steps, job.hires_strength)
        _, large = canvases.hires_sizes(
            size, job.hires_scale, job.hires_width, job.hires_height, frame.multiple
        )
        yield DenoisePass(large, _network_rows(second, steps), encodes=is_decoded)


def _working_size(job: EditingJob, source: Size, frame: ModelFrame) -> Size:
    """Return the size worked at; a mask's edge may reach all over the picture."""
    edge = isinstance(job, InpaintJob) and job.area == "mask edge" and not (job.width or job.height)
    if edge and source[0] * source[1] > frame.natural**2:
        return source
    return canvases.target_size(job.width, job.height, source, *frame)


def _loopback_passes(job: LoopbackJob, size: Size) -> Iterator[DenoisePass]:
    """One run a loop; its strength lies between the first and the last, whatever the curve."""
    for number in range(job.loops):
        share = number / (job.loops - 1) if job.loops > 1 else 0.0
        strength = job.strength + (job.final_strength - job.strength) * share
        yield DenoisePass(size, _edit_rows(job, strength))


def _outpaint_passes(job: OutpaintJob, source: Size, frame: ModelFrame) -> Iterator[DenoisePass]:
    amounts = Margins(job.left, job.right, job.up, job.down)
    if job.preset != "custom":
        amounts = canvases.PRESET_MARGINS[job.preset](*source)
    tile = (
        canvases.round_to_latent(job.width or frame.natural, frame.multiple),
        canvases.round_to_latent(job.height or frame.natural, frame.multiple),
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


def _redraw_passes(job: UpscaleJob, source: Size, frame: ModelFrame) -> Iterator[DenoisePass]:
    if job.mode != "redraw":
        return
    width, height = (
        canvases.round_up(side, frame.multiple) for side in _upscaled_size(job, source)
    )
    tile = (min(frame.natural, width), min(frame.natural, height))
    overlap = min(job.overlap, tile[0] // 2, tile[1] // 2)
    rows = _network_calls(job.sampler, _executed_steps(job.sampler, job.steps, job.strength))
    rows *= measure_prompts(job.prompt, job.negative_prompt).entries(job.guidance, job.sampler)
    for _ in canvases.compute_tile_offsets(height, tile[1], overlap):
        for _ in canvases.compute_tile_offsets(width, tile[0], overlap):
            yield DenoisePass(tile, rows)


def _upscaled_size(job: UpscaleJob, source: Size) -> Size:
    return _limit_side(_requested_size(job, source), job.max_side)


def _limit_side(size: Size, max_side: int | None) -> Size:
    share = min(1.0, (max_side or math.inf) / max(size))
    return int(size[0] * share), int(size[1] * share)


def _shown_upscalers(job: UpscaleJob) -> tuple[str, ...]:
    if not job.second or job.visibility == 0:
        return (job.upscaler,)
    return (job.second,) if job.visibility == 1 else (job.upscaler, job.second)


def _enlarging_cost(job: Job, source: Size, frame: ModelFrame, upscalers: Upscalers) -> float:
    """Price the networks that enlarge, pass by pass."""
    if isinstance(job, UpscaleJob):
        covering = _limit_side(_covering_size(job, source), job.max_side)
        return sum(
            upscalers.get(name, UpscalerSize()).price(source, covering)
            for name in _shown_upscalers(job)
            if name.lower() not in PLAIN_RESAMPLERS
        )
    if not isinstance(job, ImagineJob) or not job.has_hires_fix:
        return 0.0
    if job.hires_upscaler.lower() in PLAIN_RESAMPLERS:
        return 0.0
    size = canvases.target_size(job.width, job.height, None, *frame)
    _, large = canvases.hires_sizes(
        size, job.hires_scale, job.hires_width, job.hires_height, frame.multiple
    )
    return job.batch * upscalers.get(job.hires_upscaler, UpscalerSize()).price(size, large)


def _requested_size(job: UpscaleJob, source: Size) -> Size:
    if job.crop and job.width and job.height:
        return job.width, job.height
    return _covering_size(job, source)


def _covering_size(job: UpscaleJob, source: Size) -> Size:
    """Return the size that is enlarged to, before anything is cut off."""
    if not (job.width or job.height):
        return round(source[0] * job.factor), round(source[1] * job.factor)
    scale = max((job.width or 1) / source[0], (job.height or 1) / source[1])
    return round(source[0] * scale), round(source[1] * scale)


def _auxiliary_cost(job: Job, source: Size) -> float:
    """Price words of a loop, looks, and a face in each picture to restore, in TFLOP."""
    if isinstance(job, UpscaleJob):
        return FACE_TFLOP * bool(job.restore_faces) + COLOURISE_TFLOP * bool(job.colourise)
    if isinstance(job, ImagineJob | Img2ImgJob | InpaintJob) and job.restore_faces:
        return FACE_TFLOP * job.batch
    if isinstance(job, InterrogateJob):
        return INTERROGATE_TFLOP
    if isinstance(job, PreviewJob):
        return source[0] * source[1] / 1e6 * PREVIEW_TFLOP
    caption = INTERROGATE_TFLOP * (
        isinstance(job, CaptionedJob) and job.caption_prompt and not job.prompt.strip()
    )
    if isinstance(job, LoopbackJob) and job.append != "none":
        return INTERROGATE_TFLOP * job.loops * job.batch + caption
    return caption


def _control_share(job: Job) -> float:
    """Give what a ControlNet adds to the denoising network's work: in the steps that it acts in."""
    if not isinstance(job, ControlledJob) or not job.has_control:
        return 0.0
    return CONTROL_SHARE * max(job.control_end - job.control_begin, 1 / job.steps)


def _edit_rows(job: EditingJob, strength: float, *, is_instructed: bool = False) -> int:
    steps = _executed_steps(
        job.sampler, job.steps, strength, exact=job.exact_steps, schedule=job.schedule
    )
    return _network_rows(job, steps, is_instructed=is_instructed)


def _network_rows(job: DenoisingJob, steps: int, *, is_instructed: bool = False) -> int:
    entries = measure_prompts(job.prompt, job.negative_prompt).entries(
        job.guidance, job.sampler, is_instructed=is_instructed
    )
    return _network_calls(job.sampler, steps) * entries


def _executed_steps(
    sampler: str,
    steps: int,
    strength: float | None,
    *,
    exact: bool = True,
    schedule: str = "Automatic",
) -> int:
    """Count the steps that run: a share of those asked for, or exactly as many."""
    if strength == 0:
        return 0
    if exact and strength is not None:
        return steps
    extra_steps = count_extra_steps(sampler, schedule, steps)
    if strength is None:
        return steps + extra_steps
    share = int(min(strength, 0.999) * steps) + (sampler not in TIMESTEP_SAMPLERS)
    return share + extra_steps


def _network_calls(sampler: str, steps: int) -> int:
    """Count the calls of a run; some samplers call twice a step, but once in the last."""
    if steps == 0:
        return 0
    if sampler in ADAPTIVE_CALLS:
        return ADAPTIVE_CALLS[sampler]
    return 2 * steps - 1 if sampler in TWO_CALL_SAMPLERS else steps + (sampler == "PLMS")
