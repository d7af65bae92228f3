"""What a job's prompts come to: the words its seeds draw, the texts that its pictures follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inference.api.jobs.base import DenoisingJob, EditingJob, Job
from inference.api.jobs.kinds import ImagineJob, LoopbackJob, OutpaintJob, UpscaleJob
from inference.api.jobs.names import count_seed
from inference.api.prompts.pulls import StepCount, check_weights, draws_negative, render_texts
from inference.api.prompts.wildcards import draw_wildcards

WildcardLists = Mapping[str, Sequence[str]]

#: One of these stands in every text that offers a choice.
CHOICE_MARKS = ("{", "__")
#: Runs of one picture of an outpainting; each takes a seed, and the next picture draws by its own.
MAX_OUTPAINT_RUNS = 8


@dataclass(frozen=True)
class DrawnPrompts:
    """A pair of prompts as one seed draws them, and the guidance by which one pass follows them."""

    prompt: str
    negative: str
    guidance: float = 1.0


def draw_prompts(job: Job, seed: int, lists: WildcardLists) -> DrawnPrompts:
    """Draw the words of one picture's first pass.

    Raises:
        JobError: the weights drawn leave nothing but the negative prompt.
    """
    prompt, negative = (
        draw_wildcards(str(getattr(job, name, "")), seed, lists)
        for name in ("prompt", "negative_prompt")
    )
    if _paints(job):
        check_weights(prompt)
    return DrawnPrompts(prompt, negative, float(getattr(job, "guidance", 1.0)))


def list_drawn_prompts(job: Job, lists: WildcardLists) -> tuple[tuple[DrawnPrompts, ...], ...]:
    """List what the pictures of a job may be drawn from, pass by pass, each once.

    Raises:
        JobError: the weights drawn leave nothing but the negative prompt.
    """
    passes = _list_passes(job)
    written = "".join(
        str(getattr(part, name, "")) for part in passes for name in ("prompt", "negative_prompt")
    )
    first, *other_seeds = _word_seeds(job)
    seeds = (first, *other_seeds) if any(mark in written for mark in CHOICE_MARKS) else (first,)
    return tuple(
        dict.fromkeys(tuple(draw_prompts(part, seed, lists) for part in passes) for seed in seeds)
    )


def read_pulled_texts(job: Job, drawn_passes: Sequence[DrawnPrompts]) -> str:
    """Write down all that a picture is drawn towards, as the text encoder reads it.

    Raises:
        JobError: from step to step a prompt says too much.
    """
    steps = tuple(_step_counts(job))
    texts: list[str] = []
    for drawn in drawn_passes:
        texts += [drawn.prompt, render_texts(drawn.prompt, steps)]
        if _paints(job) and draws_negative(drawn.prompt, drawn.negative, drawn.guidance, steps):
            texts += [drawn.negative, render_texts(drawn.negative, steps)]
    return "\n".join(dict.fromkeys(filter(None, texts)))


def _list_passes(job: Job) -> tuple[Job, ...]:
    """List a job as each of its passes takes it: a hires fix may have words of its own."""
    if isinstance(job, ImagineJob) and job.has_hires_fix:
        return job, job.second_pass
    return (job,)


def _paints(job: Job) -> bool:
    return isinstance(job, DenoisingJob) or (isinstance(job, UpscaleJob) and job.mode == "redraw")


def _word_seeds(job: Job) -> Iterator[int]:
    """Yield the seeds that a job's pictures draw their words by; of an outpainting, all it may."""
    seed = int(getattr(job, "seed", 0))
    yield seed
    if not isinstance(job, DenoisingJob):
        return
    strides: Sequence[int] = (0,) if job.variation_strength > 0 else (1,)
    if isinstance(job, LoopbackJob):
        strides = (job.loops,)
    if isinstance(job, OutpaintJob):
        strides = range(1, MAX_OUTPAINT_RUNS + 1)
    for stride in strides:
        yield from (count_seed(seed, number * stride) for number in range(1, job.batch))


def _step_counts(job: Job) -> Iterator[StepCount]:
    """Yield over how many steps, or calls of the network, a job's schedules may be spread."""
    steps = int(getattr(job, "steps", 20))
    counts = {steps}
    if isinstance(job, EditingJob) and not job.exact_steps:
        strengths = (job.strength, getattr(job, "final_strength", job.strength))
        counts |= set(range(int(min(strengths) * steps), int(max(strengths) * steps) + 1))
    if isinstance(job, UpscaleJob):
        counts.add(int(job.strength * steps))
    for count in sorted(counts):
        yield from ((run, None) for run in _run_lengths(count))
    if isinstance(job, ImagineJob) and job.has_hires_fix:
        for run in _run_lengths(job.hires_steps or steps):
            yield from ((run, base_steps) for base_steps in (None, *_run_lengths(steps)))


def _run_lengths(steps: int) -> Sequence[int]:
    """List what so many steps may come to: samplers add one, or call the network twice a step."""
    return [max(1, length) for length in (steps, steps + 1, 2 * steps - 1, 2 * steps)]
