"""Imagine: a picture from words alone."""

from __future__ import annotations

from inference.engine.work import Ask, Made, Operation, Outcome
from inference.jobs import Imagine
from inference.operations import sizes
from inference.operations.parameters import infotext, paint, seeds
from inference.operations.studio import Pictures, Studio


def imagine(job: Imagine, pictures: Pictures, studio: Studio) -> Operation:
    """Paint the job's batch from noise."""
    model = studio.library.resolve(job.model)
    natural = studio.library.natural_size(model)
    size = sizes.target_size(job.width, job.height, None, natural)
    sizes.check_pixels(*size, studio.max_pixels)
    works = tuple(
        paint(job, model, size, seed=seed, variation_seed=variation)
        for seed, variation in seeds(job)
    )
    results = yield Ask(works=works)
    loaded = studio.library.diffusion(model)
    return Outcome(
        pictures=tuple(
            Made(picture=result.picture, seed=work.seed, infotext=infotext(work, loaded))
            for work, result in zip(works, results, strict=True)
        ),
        notes=sizes.rounded_note((job.width, job.height), size),
    )
