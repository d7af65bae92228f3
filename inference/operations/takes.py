"""Takes: for each picture of a job its seed, and the words that this seed draws."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference.engine.work import Paint
from inference.jobs import Denoising
from inference.prompts.networks import loras, take_networks
from inference.prompts.wildcards import draw

Lists = Mapping[str, Sequence[str]]

#: Names of the field's distillations, which guidance above 2 or so burns.
DISTILLED = re.compile(r"(?<![a-z])(?:lcm|turbo|lightning|hyper)(?![a-z])", re.IGNORECASE)
MAX_DISTILLED = 2.5

#: Characters of one drawn prompt in a note.
SHOWN = 200


def takes(job: Denoising, lists: Lists) -> list[dict[str, Any]]:
    """List what sets each picture of the job's batch apart, as fields of a work.

    Without a variation the seed counts up; with one, the variation seed does.
    """
    varied = job.variation_strength > 0
    return [
        {
            **words(job, job.seed if varied else job.seed + number, lists),
            "variation_seed": job.variation_seed + number * varied,
        }
        for number in range(job.batch)
    ]


def words(job: Denoising, seed: int, lists: Lists) -> dict[str, Any]:
    """Draw one picture's words by its seed, and keep what they were drawn from, if they were."""
    prompt, negative = (draw(text, seed, lists) for text in (job.prompt, job.negative_prompt))
    return {
        "seed": seed,
        "prompt": prompt,
        "negative_prompt": negative,
        "template": job.prompt if prompt != job.prompt else "",
        "negative_template": job.negative_prompt if negative != job.negative_prompt else "",
    }


def notes_on(works: Sequence[Paint]) -> tuple[str, ...]:
    """Say which words were drawn, where any were, and what about the settings looks wrong."""
    return (*_drawn(works), *_strong(works[:1]))


def _strong(works: Sequence[Paint]) -> Iterator[str]:
    """Warn of guidance for what, by its name, was distilled to do without."""
    for work in works:
        names = (work.model, *(lora.name for lora in loras(take_networks(work.prompt)[1])))
        distilled = next((name for name in names if DISTILLED.search(name)), None)
        if distilled is not None and work.guidance > MAX_DISTILLED:
            yield (
                f"{distilled} is by its name distilled for few steps: a guidance scale of "
                f"{work.guidance:g} burns its pictures. Ask for 1 to 2."
            )


def _drawn(works: Sequence[Paint]) -> tuple[str, ...]:
    drawn = dict.fromkeys(work.prompt for work in works if work.template)
    shown = (text if len(text) <= SHOWN else text[: SHOWN - 1] + "…" for text in drawn)
    return (f"Drawn: {' · '.join(shown)}",) if drawn else ()
