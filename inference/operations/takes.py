"""Takes: for each picture of a job its seed, and the words that this seed draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.engine.work import Paint
from inference.jobs import Denoising
from inference.prompts.wildcards import draw

Lists = Mapping[str, Sequence[str]]

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


def drawn_note(works: Sequence[Paint]) -> tuple[str, ...]:
    """Say which words were drawn, where any were."""
    drawn = dict.fromkeys(work.prompt for work in works if work.template)
    shown = (text if len(text) <= SHOWN else text[: SHOWN - 1] + "…" for text in drawn)
    return (f"Drawn: {' · '.join(shown)}",) if drawn else ()
