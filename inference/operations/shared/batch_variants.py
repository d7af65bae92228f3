"""Takes: for each picture of a job its seed, and the words that this seed draws."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from inference.api.jobs import DenoisingJob
from inference.api.jobs.drawn_prompts import WildcardLists, draw_prompts
from inference.api.jobs.names import CFG_PP_SAMPLERS, count_seed
from inference.api.notices import Notice
from inference.api.prompts.extra_networks import read_loras, take_networks
from inference.engine.work import DenoiseWork

#: Names of the field's distillations, which guidance above 2 or so burns.
DISTILLED_NAME_PATTERN = re.compile(
    r"(?<![a-z])(?:lcm|turbo|lightning|hyper)(?![a-z])", re.IGNORECASE
)
MAX_DISTILLED_GUIDANCE = 2.5
#: What CFG++ is recommended up to.
MAX_CFG_PP_GUIDANCE = 2.0

#: Characters of one drawn prompt in a note.
MAX_NOTE_PROMPT_CHARS = 200


def batch_variants(job: DenoisingJob, lists: WildcardLists) -> list[dict[str, Any]]:
    """List what sets each picture of the job's batch apart, as fields of a work.

    Without a variation the seed counts up; with one, the variation seed does.
    """
    has_variation = job.variation_strength > 0
    return [
        {
            **resolve_wildcards(job, count_seed(job.seed, number * (not has_variation)), lists),
            "variation_seed": count_seed(job.variation_seed, number * has_variation),
        }
        for number in range(job.batch)
    ]


def resolve_wildcards(job: DenoisingJob, seed: int, lists: WildcardLists) -> dict[str, Any]:
    """Draw one picture's words by its seed, and keep what they were drawn from, if they were.

    Raises:
        JobError: the weights drawn leave nothing but the negative prompt.
    """
    drawn_prompts = draw_prompts(job, seed, lists)
    prompt, negative = drawn_prompts.prompt, drawn_prompts.negative
    return {
        "seed": seed,
        "prompt": prompt,
        "negative_prompt": negative,
        "template": job.prompt if prompt != job.prompt else "",
        "negative_template": job.negative_prompt if negative != job.negative_prompt else "",
    }


def work_notes(
    works: Sequence[DenoiseWork], hires_works: Sequence[DenoiseWork] = ()
) -> tuple[Notice, ...]:
    """Say which words were drawn, where any were, and what about the settings looks wrong."""
    warnings = dict.fromkeys(_guidance_warnings((*works[:1], *hires_works[:1])))
    return (*_drawn_prompts_note(works), *warnings)


def _guidance_warnings(works: Sequence[DenoiseWork]) -> Iterator[Notice]:
    """Warn of guidance for CFG++, and for what, by its name, was distilled to do without."""
    for work in works:
        names = (work.model, *(lora.name for lora in read_loras(take_networks(work.prompt)[1])))
        distilled_name = next((name for name in names if DISTILLED_NAME_PATTERN.search(name)), None)
        if distilled_name is not None and work.guidance > MAX_DISTILLED_GUIDANCE:
            yield (Notice("prompt.distilled", name=distilled_name, guidance=f"{work.guidance:g}"))
        if work.sampler in CFG_PP_SAMPLERS and work.guidance > MAX_CFG_PP_GUIDANCE:
            yield Notice("prompt.cfg_pp", sampler=work.sampler, guidance=f"{work.guidance:g}")


def _drawn_prompts_note(works: Sequence[DenoiseWork]) -> tuple[Notice, ...]:
    drawn_prompts = dict.fromkeys(work.prompt for work in works if work.template)
    note_texts = (
        text if len(text) <= MAX_NOTE_PROMPT_CHARS else text[: MAX_NOTE_PROMPT_CHARS - 1] + "…"
        for text in drawn_prompts
    )
    return (Notice("prompt.drawn", prompts=" · ".join(note_texts)),) if drawn_prompts else ()
