"""Where an inpainting changes its picture: the mask's sources, united, and what to say about it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import InpaintJob
from inference.api.notices import Notice
from inference.engine.work import WorkRequest
from inference.images.errors import FullyTransparent, NoStrokes
from inference.images.mask import language, masks, scribble
from inference.images.mask.fill import drop_alpha
from inference.images.mask.masks import MaskFit
from inference.images.mask.upload import MaskReading, read_uploaded_mask
from inference.images.regions import bounding_box
from inference.operations.context import Images
from inference.operations.mask.masked_job import MaskedJob, make_masked_job
from inference.operations.mask.segmentation import segment_named
from inference.operations.shared import sizes
from inference.operations.shared.side_call import run_beside

#: Pixels, across or down; what is smaller both ways is a slip of the brush.
LEAST_MASK_SIDE = 4

#: Pixels, across or down; what is smaller both ways is a slip of the brush.
LEAST_MASK_SIDE = 4


def resolve_mask(job: InpaintJob, images: Images) -> Generator[WorkRequest, list[Any], MaskedJob]:
    """Find a job's mask: what was uploaded, described in words or left transparent, united.

    Raises:
        ImageError: the picture shows no such thing as the words name, or they cannot be read.
        ModelError: a network for what the words name is not there.
    """
    object_masks = yield from segment_named(images["image"], job.mask_shape)
    call = partial(_find_mask, job, images, object_masks)
    return (yield from run_beside(call, images["image"].size))


def _find_mask(
    job: InpaintJob, images: Images, object_masks: Mapping[str, Image.Image]
) -> MaskedJob:
    """Unite the sources of a job's mask.

    Raises:
        JobError: there is no mask, or it leaves next to nothing to change.
        ImageError: the picture is too small or fully transparent, or the words cannot be read.
    """
    image = images["image"]
    sizes.check_source(image)
    mask, notes = _unite_user_masks(job, images, object_masks)
    mask = _add_transparent_area(image, mask, soft=job.soft)
    if mask is None:
        raise JobError("mask", "mask.missing")
    if job.mask_mode == "not masked":
        mask = masks.invert_mask(mask)
    if masks.is_blank(mask):
        code = "mask.all_white" if job.mask_mode == "not masked" else "mask.black"
        raise JobError("mask", code)
    _check_extent(mask)
    source = image if image.mode == "RGB" else drop_alpha(image)
    return make_masked_job(job, source, mask, notes)


def _check_extent(mask: Image.Image) -> None:
    left, upper, right, lower = bounding_box(mask)
    if max(right - left, lower - upper) < LEAST_MASK_SIDE:
        raise JobError(
            "mask",
            "mask.speck",
            width=right - left,
            height=lower - upper,
            least=LEAST_MASK_SIDE,
        )


def _unite_user_masks(
    job: InpaintJob, images: Images, object_masks: Mapping[str, Image.Image]
) -> tuple[Image.Image | None, tuple[Notice, ...]]:
    """Unite the mask that was uploaded with the one in words; None where there is neither."""
    mask: Image.Image | None = None
    notes: tuple[Notice, ...] = ()
    if "mask" in images:
        mask, notes = _read_uploaded_mask(images["image"], images["mask"], soft=job.soft)
    if job.mask_shape.strip():
        shape = language.draw_mask(job.mask_shape, images["image"].size, object_masks)
        mask = shape if mask is None else masks.unite_masks(mask, shape)
    return mask, notes


def _read_uploaded_mask(
    image: Image.Image, upload: Image.Image, *, soft: bool
) -> tuple[Image.Image, tuple[Notice, ...]]:
    """Read an uploaded mask, or the strokes on a copy of the picture; of the picture's size.

    Raises:
        NoStrokes: it is a copy of the picture on which nothing was drawn.
    """
    mask = None
    if not upload.has_transparency_data:
        mask = scribble.find_strokes(drop_alpha(image), upload)
    if mask is not None:
        if masks.is_blank(mask):
            raise NoStrokes
        return mask, (Notice("mask.drawn"),)
    mask, reading = read_uploaded_mask(upload, soft=soft)
    notes = (Notice("mask.hole"),) if reading is MaskReading.HOLE else ()
    size = mask.size
    mask, fit = masks.lay_over(mask, image.size)
    return mask, (*notes, *_fit_note(size, image.size, fit))


def _add_transparent_area(
    image: Image.Image, mask: Image.Image | None, *, soft: bool
) -> Image.Image | None:
    """Add the source's own transparent pixels; None where nothing is marked at all."""
    if not image.has_transparency_data:
        return mask
    transparent_mask = masks.from_transparency(image)
    if image.convert("RGBA").getchannel("A").getbbox() is None:
        raise FullyTransparent
    if masks.is_blank(transparent_mask):
        return mask
    if mask is not None and soft:
        return masks.unite_masks(transparent_mask, mask)
    return masks.from_source(image, mask)


def _fit_note(
    mask_size: tuple[int, int], size: tuple[int, int], fit: MaskFit
) -> tuple[Notice, ...]:
    mask_label, image_label = f"{mask_size[0]} x {mask_size[1]}", f"{size[0]} x {size[1]}"
    match fit:
        case MaskFit.SAME:
            return ()
        case MaskFit.SCALED:
            return (Notice("mask.scaled", there=mask_label, here=image_label),)
        case MaskFit.STRETCHED:
            return (Notice("mask.stretched", there=mask_label, here=image_label),)
