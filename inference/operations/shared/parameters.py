"""What is written into a picture about how it was made, and settings shared by operations."""

from __future__ import annotations

import dataclasses
from typing import Any

from inference.api.infotext.text import format_infotext
from inference.api.jobs import DenoisingJob
from inference.diffusion.model import ModelTraits
from inference.engine.work import DenoiseWork

SOFTWARE_VERSION = "Easel 0.1.0"
#: Options of some kinds that works have under the same name.
SHARED_FIELDS = (
    "strength",
    "exact_steps",
    "noise_multiplier",
    "image_guidance",
    "refiner",
    "refiner_switch",
    "mask_weight",
    "soft",
)


def build_denoise_work(
    job: DenoisingJob, model: str, size: tuple[int, int], **overrides: Any
) -> DenoiseWork:
    """Turn a job's settings into a work; `more` sets or replaces fields."""
    settings: dict[str, Any] = {
        "model": model,
        "width": size[0],
        "height": size[1],
        "prompt": job.prompt,
        "negative_prompt": job.negative_prompt,
        "steps": job.steps,
        "guidance": job.guidance,
        "sampler": job.sampler,
        "schedule": job.schedule,
        "seed": job.seed,
        "rng": job.rng,
        "variation_seed": job.variation_seed,
        "variation_strength": job.variation_strength,
        "clip_skip": job.clip_skip,
        "force_clip_skip": job.force_clip_skip,
        "emphasis": job.emphasis,
        "seed_delta": job.seed_delta,
        "seed_size": _seed_size(job),
        "guidance_rescale": job.guidance_rescale,
        "extra_noise": job.extra_noise,
    }
    names = {field.name for field in dataclasses.fields(DenoiseWork)}
    shared_fields = {
        name: getattr(job, name) for name in SHARED_FIELDS if hasattr(job, name) and name in names
    }
    return DenoiseWork(**(settings | shared_fields | overrides))


def _seed_size(job: DenoisingJob) -> tuple[int, int] | None:
    """Give the size in pixels of the picture whose noise a seed stands for, if that is another."""
    if job.seed_resize_width and job.seed_resize_height:
        return job.seed_resize_width, job.seed_resize_height
    return None


def build_infotext(work: DenoiseWork, model: ModelTraits, **extra_values: object) -> str:
    """Write the `parameters` text of one finished work; the job's own `job_values` come besides.

    Of a hires fix it is the first pass's work, as everywhere in the field.
    """
    has_variation = work.variation_strength > 0
    values: dict[str, object] = {
        "Steps": work.steps,
        "Sampler": work.sampler,
        "Schedule type": work.schedule,
        "CFG scale": work.guidance,
        "Seed": work.seed,
        "Size": f"{work.width}x{work.height}",
        "Model hash": model.digest or None,
        "Model": model.name,
        "Variation seed": work.variation_seed if has_variation or work.variation_seed else None,
        "Variation seed strength": work.variation_strength if has_variation else None,
        "Denoising strength": work.strength if work.image or work.latent is not None else None,
        "Clip skip": work.clip_skip,
        "Emphasis": work.emphasis if work.emphasis != "Original" else None,
        "RNG": work.rng,
        "Template": work.template or None,
        "Negative Template": work.negative_template or None,
        "Pad conds": True,
        **extra_values,
        **model.networks(work.prompt, work.negative_prompt),
        "Version": SOFTWARE_VERSION,
    }
    return format_infotext(work.prompt, work.negative_prompt, values)
