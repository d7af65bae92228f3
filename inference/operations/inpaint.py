"""Inpaint: the masked part of a picture repainted, and everything else left as it was."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome, Paint, Painted
from inference.jobs import Inpaint
from inference.models.diffusion import ModelTraits
from inference.operations import sizes
from inference.operations.border import (
    Border,
    judge,
    mended_note,
    seam_mask,
    seam_note,
    seam_values,
)
from inference.operations.ground import Ground, lay_ground
from inference.operations.latents import encoded, enlarged, still
from inference.operations.masking import Marked, mark
from inference.operations.parameters import infotext, paint
from inference.operations.segments import found_in
from inference.operations.studio import Pictures, Studio
from inference.operations.takes import Lists, notes_on, takes
from inference.operations.view import View, look
from inference.pictures import masks, soft
from inference.pictures.colour import correct
from inference.pictures.preview import examine
from inference.pictures.resize import ResizeMode

#: Below this share of its own size a picture loses what a cut-out would keep.
COARSE = 0.75


def inpaint(job: Inpaint, pictures: Pictures, studio: Studio) -> Operation:
    """Find the mask and what to work on, repaint it, lay the results back."""
    model = studio.library.resolve(job.model)
    found = yield from found_in(pictures["image"], job.mask_shape)
    marked = mark(job, pictures, found)
    view = look(job, marked, studio.library.natural_size(model), studio.max_pixels)
    sizes.check_pixels(*view.size, studio.max_pixels)
    ground = lay_ground(view.picture, view.mask, job.masked_content, soft=job.soft)
    if _enlarges_latents(job):
        sizes.check_pixels(*marked.source.size, studio.max_pixels)
    works = yield from _works(job, model, marked, view, ground, studio.lists)
    before: tuple[Paint, ...] = (still(job, model, ground.picture),) if job.soft else ()
    results = yield Ask(works=before + works)
    original = results.pop(0) if job.soft else None
    finished = [_finish(job, view, ground, result, original) for result in results]
    traits = studio.library.traits(model)
    borders = [judge(picture, view.border) for picture in finished]
    return Outcome(
        pictures=tuple(
            Made(
                picture=picture,
                seed=work.seed,
                infotext=infotext(work, traits, **_values(job, traits), **seam_values(border)),
            )
            for picture, work, border in zip(finished, works, borders, strict=True)
        ),
        notes=(
            *notes_on(works),
            *marked.notes,
            *_view_notes(job, marked, view),
            *_border_notes(job, marked, borders),
        ),
        seams=seam_mask(borders) if job.area != "mask edge" else (),
    )


def _works(
    job: Inpaint, model: str, marked: Marked, view: View, ground: Ground, lists: Lists
) -> Generator[Ask, list[Any], tuple[Paint, ...]]:
    """Make the batch's works; a latent upscale first encodes the source at its own size.

    Soft ones are no parts: how they are laid back is read off their latents.
    """
    more: dict[str, Any] = ground.fields
    if _enlarges_latents(job):
        blurred = masks.blur(marked.mask, job.mask_blur)
        own = lay_ground(marked.source, blurred, job.masked_content).picture
        latent = yield from encoded(job, model, own, later=job.steps * job.batch)
        more["latent"] = enlarged(latent, view.size)
    parted = job.batch > 1 and not job.soft
    return tuple(
        paint(job, model, view.size, **take, **more, part=number if parted else None)
        for number, take in enumerate(takes(job, lists))
    )


def _enlarges_latents(job: Inpaint) -> bool:
    """Whether the resize mode applies at all and means latents."""
    sized = job.width is not None or job.height is not None
    whole = job.area == "whole picture"
    return sized and whole and job.resize_mode == ResizeMode.LATENT_UPSCALE


def _finish(
    job: Inpaint, view: View, ground: Ground, result: Painted, original: Painted | None
) -> Image.Image:
    """Correct a result's colours and lay it into the picture it belongs to."""
    patch = result.picture or ground.picture
    if job.colour_correction:
        patch = correct(patch, ground.picture)
    if original is None:
        return view.put_back(patch)
    changed = soft.composite_mask(
        original.latent.numpy(),
        result.latent.numpy(),
        ground.latent_mask,
        view.size,
        soft.SoftSettings(),
    )
    return view.put_back(patch, view.placed(changed))


def _border_notes(job: Inpaint, marked: Marked, borders: Sequence[Border]) -> tuple[str, ...]:
    """Say whether the border shows; after a coherence pass, what that did for it."""
    if job.area != "mask edge":
        return seam_note(borders)
    return mended_note(judge(marked.source, marked.mask), borders)


def _view_notes(job: Inpaint, marked: Marked, view: View) -> tuple[str, ...]:
    """Say what the mask will do, and at which size it is worked on."""
    if job.area == "mask edge":
        return (
            f"Only a band along the mask's edge was repainted, at {view.gain}.",
            *sizes.rounded_note((job.width, job.height), view.size),
        )
    cut_out = job.area == "only masked"
    report = examine(
        marked.mask, view.size, blur=job.mask_blur, padding=job.padding, only_masked=cut_out
    )
    notes = [finding.words for finding in report.findings]
    if cut_out:
        notes.append(f"The masked area renders at {view.gain}.")
    elif view.original is marked.source and view.gain.factor < COARSE:
        notes.append(
            f"The picture renders at {view.gain} and is enlarged again; “only masked” gives the "
            "masked area more detail."
        )
    return (*notes, *sizes.rounded_note((job.width, job.height), view.size))


def _values(job: Inpaint, model: ModelTraits) -> dict[str, object]:
    """Write what the field writes about a mask."""
    settings = soft.SoftSettings()
    values: dict[str, object] = {
        "Conditional mask weight": job.mask_weight if model.inpainting else None,
        "Mask blur": job.mask_blur,
        "Inpaint area": job.area.capitalize(),
        "Masked area padding": job.padding,
        "Masked content": job.masked_content,
        "Mask mode": f"Inpaint {job.mask_mode}",
        "Color correction": job.colour_correction,
    }
    if job.soft:
        values |= {
            "Soft inpainting enabled": True,
            "Soft inpainting schedule bias": settings.blend_power,
            "Soft inpainting preservation strength": settings.blend_scale,
            "Soft inpainting transition contrast boost": settings.detail,
            "Soft inpainting mask influence": settings.mask_influence,
            "Soft inpainting difference threshold": settings.difference_threshold,
            "Soft inpainting difference contrast": settings.difference_contrast,
        }
    return values
