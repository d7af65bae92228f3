"""From what a job asks for to a row that can be denoised: words, picture, noise, mask encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.engine.row import Row
from inference.engine.task import BatchKey
from inference.engine.work import Paint
from inference.models.diffusion import CELL, DiffusionModel, to_tensor
from inference.models.lora.side import Side
from inference.models.thrift import TEXT
from inference.pictures.soft import SoftSettings
from inference.prompts.networks import Lora, loras, take_networks
from inference.prompts.timeline import Stretch, encode_timeline
from inference.sampling import starts, steps
from inference.sampling.noise import NoiseSource, Variation
from inference.sampling.registry import SAMPLERS
from inference.sampling.steps import SigmaPlan


def plan_sigmas(work: Paint, model: DiffusionModel) -> SigmaPlan:
    """Lay out the noise levels a work asks for."""
    starting = work.picture is not None or work.latent is not None
    return steps.plan(
        work.sampler,
        work.schedule,
        work.steps,
        work.strength if starting else None,
        model.table,
        work.exact_steps,
    )


def prepare_rows(
    works: Sequence[Paint], model: DiffusionModel, sides: Sequence[Side | None]
) -> list[Row]:
    """Make rows of works of one size: their pictures go through the autoencoder together.

    `sides` are the LoRAs of each work.
    """
    originals = _encode_pictures(works, model)
    return [
        _row(work, model, original, side)
        for work, original, side in zip(works, originals, sides, strict=True)
    ]


def wanted_loras(work: Paint) -> tuple[Lora, ...]:
    """Read off a prompt which LoRAs it asks for; the order does not matter to the picture.

    Raises:
        JobError: a tag has no name, or a weight that is no number.
    """
    found = loras(take_networks(work.prompt)[1])
    return tuple(sorted(found, key=lambda lora: lora.name))


def batch_key(work: Paint, row: Row) -> BatchKey:
    """Say with whom a row may share its network calls."""
    return BatchKey(
        model=work.model,
        height=row.x.shape[-2],
        width=row.x.shape[-1],
        tokens=len(row.conditioning[0].unconditional.crossattn),
        guided=row.guided,
        loras=wanted_loras(work),
    )


def _encode_pictures(works: Sequence[Paint], model: DiffusionModel) -> list[Tensor | None]:
    """Give each work's starting latent: its own, its picture's, or none."""
    pictures = [work.picture for work in works if work.latent is None and work.picture is not None]
    encoded = iter(model.encode(pictures)) if pictures else iter(())
    latents: list[Tensor | None] = []
    for work in works:
        if work.latent is not None:
            latents.append(work.latent.to(model.device))
        else:
            latents.append(next(encoded) if work.picture is not None else None)
    return latents


def _row(work: Paint, model: DiffusionModel, original: Tensor | None, side: Side | None) -> Row:
    plan = plan_sigmas(work, model)
    noise = _noise(work, model)
    mask = None
    if work.mask is not None:
        mask = torch.from_numpy(work.mask).to(model.device, torch.float32)[None]
        original = _masked_start(work, original, mask, noise)
    if original is None:
        start = starts.from_noise(plan, noise.initial())
    else:
        start = starts.from_latent(
            plan, original, noise.initial(), multiplier=work.noise_multiplier
        )
    sampler = SAMPLERS[work.sampler].run(start, plan.sigmas, noise)
    x, sigma = next(sampler)
    return Row(
        sampler=sampler,
        x=x,
        sigma=sigma,
        guidance=work.guidance,
        conditioning=_conditioning(work, model, plan.calls, side),
        mask=mask,
        original=original,
        soft=SoftSettings() if work.soft else None,
        extra=_extra(work, model),
        side=side,
    )


def _noise(work: Paint, model: DiffusionModel) -> NoiseSource:
    variation = None
    if work.variation_strength > 0:
        variation = Variation(work.variation_seed, work.variation_strength)
    shape = (model.latent_channels, work.height // CELL, work.width // CELL)
    return NoiseSource(work.seed, shape, variation=variation, rng=work.rng, device=model.device)


def _masked_start(
    work: Paint, original: Tensor | None, mask: Tensor, noise: NoiseSource
) -> Tensor | None:
    """Put noise or nothing under the mask where the job wants that instead of the picture."""
    if original is None or work.masked_start == "picture":
        return original
    kept = original * (1 - mask)
    return kept + noise.initial() * mask if work.masked_start == "noise" else kept


def _extra(work: Paint, model: DiffusionModel) -> Tensor | None:
    """Make the further channels of an inpainting network: the mask and the picture without it.

    [C + 1, h, w] float32; without a mask everything is to be made anew.
    """
    if not model.inpainting:
        return None
    size = (work.width, work.height)
    full = work.full_mask or Image.new("L", size, 255)
    hole = torch.from_numpy(np.asarray(full.resize(size), dtype=np.float32) / 255)[None]
    if not work.soft:
        hole = hole.round()
    picture = to_tensor(work.picture or Image.new("RGB", size, (128, 128, 128)))
    masked = picture * (1 - hole * work.mask_weight)
    latent = model.encode_pixels(masked[None])[0]
    cells = torch.nn.functional.interpolate(hole[None], size=latent.shape[-2:])[0]
    return torch.cat([cells.to(latent), latent])


def _conditioning(
    work: Paint, model: DiffusionModel, calls: int, side: Side | None
) -> tuple[Stretch, ...]:
    """Encode both prompts for every call of the run."""
    model.thrift.use(TEXT, 1)
    encoder = model.words.encoder(work.clip_skip, work.emphasis, side)
    timeline = encode_timeline(encoder, work.prompt, work.negative_prompt, calls)
    if work.negative_prompt.strip():
        return timeline
    return tuple(
        replace(stretch, unconditional=model.words.absent(stretch.unconditional))
        for stretch in timeline
    )
