"""Explain: how a prompt is read by a checkpoint, without a network call."""

from __future__ import annotations

from inference.engine.work import Ask, Operation, Outcome
from inference.jobs import Explain
from inference.operations.studio import Pictures, Studio
from inference.prompts import lint


def explain(job: Explain, pictures: Pictures, studio: Studio) -> Operation:
    """Answer with the weights, the step table, the chunks and what looks wrong."""
    found = lint.explain(
        job.prompt,
        job.negative_prompt,
        job.steps,
        seed=0,
        tokenizer=studio.library.tokenizer(job.model),
    )
    yield Ask(works=())
    return Outcome(text=lint.render(found))
