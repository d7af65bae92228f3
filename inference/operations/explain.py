"""Explain: how a prompt is read by a checkpoint, without a network call."""

from __future__ import annotations

from inference.engine.work import Ask, Operation, Outcome
from inference.jobs import Explain
from inference.models.embeddings import count_vectors
from inference.models.files import EMBEDDINGS, LORAS, find_files
from inference.operations.studio import Pictures, Studio
from inference.prompts import lint


def explain(job: Explain, pictures: Pictures, studio: Studio) -> Operation:
    """Answer with the words drawn, weights, the step table, the chunks and what looks wrong."""
    library = studio.library
    found = lint.explain(
        job.prompt,
        job.negative_prompt,
        job.steps,
        seed=job.seed,
        lists=studio.lists,
        tokenizer=library.tokenizer(job.model),
        embeddings=count_vectors(find_files(library.shelf, EMBEDDINGS)),
        known_loras=find_files(library.shelf, LORAS),
    )
    yield Ask(works=())
    return Outcome(text=lint.render(found))
