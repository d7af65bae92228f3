"""Imagine: a picture from words alone; the hires fix enlarges it and denoises once more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from inference.engine.work import Ask, Made, Operation, Outcome, Paint, Painted
from inference.jobs import Imagine, Upscale
from inference.models.upscaling.plan import count_tiles
from inference.models.upscaling.upscale import upscale as enlarge
from inference.operations import sizes
from inference.operations.latents import enlarged
from inference.operations.parameters import infotext, paint
from inference.operations.slices import TOGETHER, in_slices, tuned
from inference.operations.studio import Pictures, Studio
from inference.operations.takes import notes_on, takes
from inference.operations.upscale import plan_upscale
from inference.pictures.resize import scale_to

LATENT = "latent"


def imagine(job: Imagine, pictures: Pictures, studio: Studio) -> Operation:
    """Paint the job's batch from noise."""
    model = studio.library.resolve(job.model)
    natural = studio.library.natural_size(model)
    size = sizes.target_size(job.width, job.height, None, natural)
    large = (sizes.multiple(size[0] * job.hires_scale), sizes.multiple(size[1] * job.hires_scale))
    sizes.check_pixels(*large, studio.max_pixels)
    hires = large != size
    works = tuple(
        paint(
            job,
            model,
            size,
            **take,
            decode=not hires or job.hires_upscaler != LATENT,
            part=number if job.batch > 1 and not hires else None,
        )
        for number, take in enumerate(takes(job, studio.lists))
    )
    later = (job.hires_steps or job.steps) * len(works) if hires else 0
    results = yield Ask(works=works, later=later)
    values: dict[str, object] = {}
    if hires:
        works = yield from _second(job, studio, works, results, large)
        results = yield Ask(works=works)
        values = _values(job)
    traits = studio.library.traits(model)
    return Outcome(
        pictures=tuple(
            Made(picture=result.picture, seed=work.seed, infotext=infotext(work, traits, **values))
            for work, result in zip(works, results, strict=True)
        ),
        notes=(*notes_on(works), *sizes.rounded_note((job.width, job.height), size)),
    )


def _second(
    job: Imagine,
    studio: Studio,
    works: tuple[Paint, ...],
    results: list[Painted],
    size: tuple[int, int],
) -> Generator[Ask, list[Any], tuple[Paint, ...]]:
    """Make the second pass's works: each first result enlarged, as a latent or as a picture."""
    common: dict[str, Any] = {
        "width": size[0],
        "height": size[1],
        "steps": job.hires_steps or job.steps,
        "strength": job.hires_strength,
        "exact_steps": True,
        "decode": True,
    }
    second = []
    for number, (work, result) in enumerate(zip(works, results, strict=True)):
        if job.hires_upscaler == LATENT:
            start: dict[str, Any] = {"latent": enlarged(result.latent, size)}
        else:
            start = {"picture": (yield from _by_upscaler(job, studio, result, size))}
        part = number if job.batch > 1 else None
        second.append(replace(work, **common, **start, part=part))
    return tuple(second)


def _by_upscaler(
    job: Imagine, studio: Studio, result: Painted, size: tuple[int, int]
) -> Generator[Ask, list[Any], Any]:
    picture = result.picture
    if picture is None:
        raise ValueError("a first pass that is enlarged as a picture must be decoded")
    plan = plan_upscale(Upscale(upscaler=job.hires_upscaler, factor=job.hires_scale), studio)
    plan = yield from tuned(plan, picture.size, studio.library.upscalers)
    large = yield from in_slices(enlarge(picture, plan, TOGETHER), count_tiles(picture.size, plan))
    return scale_to(large, *size)


def _values(job: Imagine) -> dict[str, object]:
    """Write what the field writes about a hires fix."""
    return {
        "Hires upscale": job.hires_scale,
        "Hires steps": job.hires_steps or None,
        "Hires upscaler": "Latent" if job.hires_upscaler == LATENT else job.hires_upscaler,
    }
