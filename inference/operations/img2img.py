"""Img2img: a picture repainted as the prompt says."""

from __future__ import annotations

from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome
from inference.jobs import Editing, Img2Img
from inference.operations import sizes
from inference.operations.parameters import infotext, paint, seeds
from inference.operations.studio import Pictures, Studio
from inference.pictures.fill import flatten
from inference.pictures.resize import ResizeMode, fit


def img2img(job: Img2Img, pictures: Pictures, studio: Studio) -> Operation:
    """Fit the source, paint the job's batch over it."""
    model = studio.library.resolve(job.model)
    natural = studio.library.natural_size(model)
    source = flatten(pictures["image"])
    size = sizes.target_size(job.width, job.height, source.size, natural)
    sizes.check_pixels(*size, studio.max_pixels)
    fitted = fitted_source(job, source, size)
    works = tuple(
        paint(job, model, size, seed=seed, variation_seed=variation, picture=fitted)
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


def fitted_source(job: Editing, source: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring the source to the size to denoise at, as the job's resize mode says."""
    return fit(source, size[0], size[1], ResizeMode(job.resize_mode))
