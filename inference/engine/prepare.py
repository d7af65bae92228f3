"""From what a job asks for to a row that can be denoised: words, picture, noise, mask encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.api.errors import JobError
from inference.api.jobs.names import count_prompt_calls
from inference.api.prompts.extra_networks import LoraTag, read_loras, take_networks
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.model import PIXELS_PER_CELL, LatentModel, to_tensor
from inference.diffusion.offload import TEXT
from inference.engine.row import DenoiseRow, RowControl
from inference.engine.task import BatchKey
from inference.engine.work import ControlWork, DenoiseWork
from inference.images.mask.soft_inpainting import SoftSettings
from inference.images.regions import Size
from inference.prompts.conditioning import Conditioning
from inference.prompts.timeline import ConditioningInterval, encode_timeline
from inference.sampling import initial_latent, step_plan
from inference.sampling.noise import NoiseSource, SeedVariation
from inference.sampling.noise_table import NoiseTable
from inference.sampling.registry import SAMPLER_SPECS
from inference.sampling.step_plan import SigmaPlan

#: How fine pictures SDXL's refiner is asked for, and which it is led away from (LAION's scores).
AESTHETIC_SCORE, NEGATIVE_AESTHETIC_SCORE = 6.0, 2.5


def plan_sigmas(work: DenoiseWork, model: LatentModel) -> SigmaPlan:
    """Lay out the noise levels a work asks for."""
    starting = work.image is not None or work.latent is not None
    return step_plan.plan_noise_levels(
        work.sampler,
        work.schedule,
        work.steps,
        work.strength if starting else None,
        model.noise_table(work.width, work.height),
        work.exact_steps,
    )


def prepare_rows(
    works: Sequence[DenoiseWork], model: LatentModel, work_loras: Sequence[ActiveLoras | None]
) -> list[DenoiseRow]:
    """Make rows of works of one size: their pictures go through the autoencoder together.

    `sides` are the LoRAs of each work.
    """
    originals = _encode_images(works, model)
    references = _encode_references(works, model)
    return [
        replace(
            _prepare_row(work, model, original, active_loras),
            references=tuple(references[id(image)] for image in work.references),
        )
        for work, original, active_loras in zip(works, originals, work_loras, strict=True)
    ]


def wanted_loras(work: DenoiseWork) -> tuple[LoraTag, ...]:
    """Read off a prompt which LoRAs it asks for; the order does not matter to the picture.

    Raises:
        JobError: a tag has no name, or a weight that is no number.
    """
    lora_tags = read_loras(take_networks(work.prompt)[1])
    return tuple(sorted(lora_tags, key=lambda lora: lora.name))


def batch_key(work: DenoiseWork, row: DenoiseRow, checkpoint: str, model: LatentModel) -> BatchKey:
    """Say with whom a row may share its network calls, of the checkpoint that makes them."""
    return BatchKey(
        model=checkpoint,
        height=row.x.shape[-2],
        width=row.x.shape[-1],
        tokens=model.count_key_tokens(
            [
                len(text.crossattn)
                for interval in row.conditioning
                for text in (interval.unconditional, *(part for part, _ in interval.conditions))
            ]
        ),
        is_guided=row.is_guided,
        loras=wanted_loras(work) if row.active_loras else (),
        layout=tuple((latent.shape[-2], latent.shape[-1]) for latent in row.references),
    )


def refine_row(
    work: DenoiseWork, row: DenoiseRow, refiner: LatentModel, active_loras: ActiveLoras | None
) -> None:
    """Hand a row to its refiner: the same prompts in its reading, the same steps to go.

    SDXL's own is asked for fine pictures and away from coarse ones.
    """
    timeline = _encode_conditioning(work, refiner, active_loras)
    if refiner.is_refiner:
        timeline = tuple(
            ConditioningInterval(
                interval.until,
                tuple(
                    (_with_score(condition, AESTHETIC_SCORE), weight)
                    for condition, weight in interval.conditions
                ),
                _with_score(interval.unconditional, NEGATIVE_AESTHETIC_SCORE),
            )
            for interval in timeline
        )
    row.conditioning, row.active_loras = timeline, active_loras
    row.image_channels = row.image_guidance = row.switch_sigma = None
    if refiner.is_refiner:  # no ControlNet is made for its shapes
        row.controls = ()


def _with_score(conditioning: Conditioning, score: float) -> Conditioning:
    if conditioning.pooled is None:
        raise ValueError("a refiner looks at the whole prompt's vector")
    vector = conditioning.pooled
    return replace(conditioning, pooled=torch.cat([vector, vector.new_tensor([score])]))


def _switch_sigma(work: DenoiseWork, table: NoiseTable) -> float | None:
    """Give the level from which on the refiner denoises, None for never.

    As the web UI has it: that of the first training step, counted down and rounded to whole ones,
    whose share of the way is reached.
    """
    last = len(table.sigmas) - 1
    step = math.floor(last - len(table.sigmas) * work.refiner_switch + 1e-9)
    if not work.refiner or work.refiner == work.model or step < 0:
        return None
    return table.t_to_sigma(min(step + 0.5, last))


def _encode_images(works: Sequence[DenoiseWork], model: LatentModel) -> list[Tensor | None]:
    """Give each work's starting latent: its own, its picture's, or none."""
    images = [work.image for work in works if work.latent is None and work.image is not None]
    encoded_latents = iter(model.encode_images(images)) if images else iter(())
    latents: list[Tensor | None] = []
    for work in works:
        if work.latent is not None:
            latents.append(work.latent.to(model.device))
        else:
            latents.append(next(encoded_latents) if work.image is not None else None)
    return latents


def _encode_references(works: Sequence[DenoiseWork], model: LatentModel) -> dict[int, Tensor]:
    """Encode the pictures that editing checkpoints look at, each once, by their identity."""
    images = {id(image): image for work in works for image in work.references}
    return {key: model.encode_images([image])[0] for key, image in images.items()}


def _prepare_row(
    work: DenoiseWork,
    model: LatentModel,
    original: Tensor | None,
    active_loras: ActiveLoras | None,
) -> DenoiseRow:
    if model.guidance_kind != "cfg" and SAMPLER_SPECS[work.sampler].uses_unconditional:
        raise JobError("sampler", "flow.cfg_pp", sampler=work.sampler, name=model.name)
    plan = plan_sigmas(work, model)
    noise = _noise_source(work, model, plan)
    encoded_image = original if work.latent is None else None
    mask = None
    if work.mask is not None:
        mask = torch.from_numpy(work.mask).to(model.device, torch.float32)[None]
        original = _apply_masked_start(work, original, mask, noise)
    if original is None:
        start = initial_latent.from_noise(plan, noise.initial_noise())
    else:
        start = initial_latent.from_latent(
            plan,
            original,
            noise.initial_noise(),
            multiplier=work.noise_multiplier,
            extra=work.extra_noise,
        )
    sampler = SAMPLER_SPECS[work.sampler].run(start, plan.sigmas, noise)
    x, sigma = next(sampler)
    return DenoiseRow(
        sampler=sampler,
        x=x,
        sigma=sigma,
        guidance=work.guidance,
        uses_unconditional=SAMPLER_SPECS[work.sampler].uses_unconditional,
        guidance_rescale=work.guidance_rescale,
        conditioning=_encode_conditioning(work, model, active_loras),
        mask=mask,
        original=original,
        is_distilled=model.guidance_kind != "cfg",
        told_guidance=model.tell_guidance(work.guidance),
        soft=SoftSettings() if work.soft else None,
        image_guidance=work.image_guidance if model.is_instructed else None,
        image_channels=_image_channels(work, model, encoded_image),
        switch_sigma=_switch_sigma(work, model.table),
        active_loras=active_loras,
        controls=_prepare_controls(work, model),
        levels=tuple(float(level) for level in plan.sigmas),
    )


def wanted_controls(work: DenoiseWork) -> list[ControlWork]:
    """List the ControlNets that a work is held by; one of no strength is as none."""
    return [control for control in work.controls if control.strength]


def _prepare_controls(work: DenoiseWork, model: LatentModel) -> tuple[RowControl, ...]:
    return tuple(
        RowControl(
            control.network,
            control.kind,
            (to_tensor(control.image) * 0.5 + 0.5).to(model.device),
            control.strength,
            control.begin,
            control.end,
        )
        for control in wanted_controls(work)
    )


def _noise_source(work: DenoiseWork, model: LatentModel, plan: SigmaPlan) -> NoiseSource:
    variation = None
    if work.variation_strength > 0:
        variation = SeedVariation(work.variation_seed, work.variation_strength)
    shape = (model.latent_channels, work.height // PIXELS_PER_CELL, work.width // PIXELS_PER_CELL)
    return NoiseSource(
        work.seed,
        shape,
        variation=variation,
        resize_from=_cell_counts(work.seed_size),
        seed_delta=work.seed_delta,
        rng=work.rng,
        span=plan.span,
        device=model.device,
    )


def _cell_counts(size: Size | None) -> tuple[int, int] | None:
    """Give a picture's height and width in latent cells."""
    return size and (size[1] // PIXELS_PER_CELL, size[0] // PIXELS_PER_CELL)


def _apply_masked_start(
    work: DenoiseWork, original: Tensor | None, mask: Tensor, noise: NoiseSource
) -> Tensor | None:
    """Put noise or nothing under the mask where the job wants that instead of the picture."""
    if original is None or work.masked_start == "picture":
        return original
    unmasked_latent = original * (1 - mask)
    return (
        unmasked_latent + noise.initial_noise() * mask
        if work.masked_start == "noise"
        else unmasked_latent
    )


def _image_channels(
    work: DenoiseWork, model: LatentModel, encoded_image: Tensor | None
) -> Tensor | None:
    """Make the further channels of an inpainting network: the mask and the picture without it.

    [C + 1, h, w] float32; without a mask everything is to be made anew. Of a network that edits by
    instructions it is the picture, [C, h, w] in the autoencoder's own scale.
    """
    if model.is_instructed and work.image is not None:
        if encoded_image is None:
            encoded_image = model.encode_images([work.image])[0]
        return model.unscale_latents(encoded_image)
    if not model.is_inpainting:
        return None
    size = (work.width, work.height)
    full = work.full_mask or Image.new("L", size, 255)
    hole = torch.from_numpy(np.asarray(full.resize(size), dtype=np.float32) / 255)[None]
    if not work.soft:
        hole = hole.round()
    image = to_tensor(work.image or Image.new("RGB", size, (128, 128, 128)))
    masked_pixels = image * (1 - hole * work.mask_weight)
    latent = model.encode_pixels(masked_pixels[None])[0]
    cells = torch.nn.functional.interpolate(hole[None], size=latent.shape[-2:])[0]
    return torch.cat([cells.to(latent), latent])


def _encode_conditioning(
    work: DenoiseWork, model: LatentModel, active_loras: ActiveLoras | None
) -> tuple[ConditioningInterval, ...]:
    """Encode both prompts, spread over the calls of all steps, of which a share may run."""
    encoder = model.text_encoders.build_encoder(
        work.clip_skip,
        work.emphasis,
        active_loras,
        force_clip_skip=work.force_clip_skip,
        prepare=partial(model.offload.prepare_part, TEXT, 1),
        pictures=work.references,
    )
    calls = count_prompt_calls(work.sampler, work.steps)
    is_distilled = model.guidance_kind != "cfg"
    timeline = encode_timeline(
        encoder,
        work.prompt,
        None if is_distilled else work.negative_prompt,
        calls,
        base_steps=work.base_steps,
        pads=not model.text_encoders.is_language,
    )
    if is_distilled and any(len(stretch.conditions) > 1 for stretch in timeline):
        raise JobError("prompt", "prompt.needs_guidance", name=model.name)
    if is_distilled or work.negative_prompt.strip():
        return timeline
    return tuple(
        replace(stretch, unconditional=model.text_encoders.null_conditioning(stretch.unconditional))
        for stretch in timeline
    )
