"""Where an inpainting changes its picture: the mask's sources, united, and what to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import InpaintJob
from inference.images.errors import FullyTransparent, NoStrokes
from inference.images.mask import language, masks, scribble
from inference.images.mask.fill import drop_alpha
from inference.images.mask.masks import MaskFit
from inference.operations.context import Images
from inference.operations.shared import sizes

NO_MASK_MESSAGE = (
    "inpaint must know where: attach a mask (white is repainted), say it in words "
    "(mask_shape: left 30%), or send a picture with transparent parts."
)


@dataclass(frozen=True, eq=False)
class MaskedJob:
    """A source and where it is to change."""

    #: `RGB`; transparent pixels show the colours that were behind them.
    source: Image.Image
    #: `L`, the source's size, not yet blurred; white changes.
    mask: Image.Image
    notes: tuple[str, ...]


def resolve_mask(
    job: InpaintJob, images: Images, object_masks: Mapping[str, Image.Image] = MappingProxyType({})
) -> MaskedJob:
    """Find a job's mask: what was uploaded, described in words or left transparent, united.

    `found` holds the masks of things that the words name.

    Raises:
        JobError: there is no mask, or it leaves nothing to change.
        ImageError: the picture is too small or fully transparent, or the words cannot be read.
    """
    image = images["image"]
    sizes.check_source(image)
    user_mask, notes = _unite_user_masks(job, images, object_masks)
    mask = _add_transparent_area(image, user_mask, soft=job.soft)
    if mask is None:
        raise JobError("mask", NO_MASK_MESSAGE)
    if job.mask_mode == "not masked":
        mask = masks.invert_mask(mask)
    if masks.is_blank(mask):
        raise JobError("mask", _blank_mask_message(job))
    source = image if image.mode == "RGB" else drop_alpha(image)
    return MaskedJob(source, mask, notes)


def _unite_user_masks(
    job: InpaintJob, images: Images, object_masks: Mapping[str, Image.Image]
) -> tuple[Image.Image | None, tuple[str, ...]]:
    """Unite the mask that was uploaded with the one in words; None where there is neither."""
    size = images["image"].size
    user_masks: list[Image.Image] = []
    notes: tuple[str, ...] = ()
    if "mask" in images:
        uploaded_mask, notes = _read_uploaded_mask(images["image"], images["mask"], soft=job.soft)
        user_masks.append(uploaded_mask)
    if job.mask_shape.strip():
        user_masks.append(language.draw_mask(job.mask_shape, size, object_masks))
    if not user_masks:
        return None, ()
    return (user_masks[0] if len(user_masks) == 1 else masks.unite_masks(*user_masks)), notes


def _read_uploaded_mask(
    image: Image.Image, upload: Image.Image, *, soft: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Read an uploaded mask, or the strokes on a copy of the picture; of the picture's size.

    Raises:
        NoStrokes: it is a copy of the picture on which nothing was drawn.
    """
    strokes = None
    if not upload.has_transparency_data:
        strokes = scribble.find_strokes(drop_alpha(image), upload)
    if strokes is not None:
        if masks.is_blank(strokes):
            raise NoStrokes
        return strokes, ("The mask is what was drawn on the copy of the picture.",)
    mask = masks.from_upload(upload, soft=soft)
    fitted_mask, fit = masks.lay_over(mask, image.size)
    return fitted_mask, _fit_note(mask.size, image.size, fit)


def _add_transparent_area(
    image: Image.Image, user_mask: Image.Image | None, *, soft: bool
) -> Image.Image | None:
    """Add the source's own transparent pixels; None where nothing is marked at all."""
    if not image.has_transparency_data:
        return user_mask
    transparent_mask = masks.from_transparency(image)
    if image.convert("RGBA").getchannel("A").getbbox() is None:
        raise FullyTransparent
    if masks.is_blank(transparent_mask):
        return user_mask
    if user_mask is not None and soft:
        return masks.unite_masks(transparent_mask, user_mask)
    return masks.from_source(image, user_mask)


def _fit_note(mask_size: tuple[int, int], size: tuple[int, int], fit: MaskFit) -> tuple[str, ...]:
    mask_label, image_label = f"{mask_size[0]} x {mask_size[1]}", f"{size[0]} x {size[1]}"
    match fit:
        case MaskFit.SAME:
            return ()
        case MaskFit.SCALED:
            return (f"The mask was scaled from {mask_label} to the picture's {image_label}.",)
        case MaskFit.STRETCHED:
            return (
                f"The mask of {mask_label} has another shape than the picture of {image_label}: "
                "it was "
                "stretched over it.",
            )


def _blank_mask_message(job: InpaintJob) -> str:
    if job.mask_mode == "not masked":
        return (
            "The mask is all white, so “not masked” leaves nothing to change: choose “masked”, or "
            "paint a smaller area."
        )
    return (
        "The mask has no white pixel, so nothing would change: paint the area to change white, or "
        "choose “not masked”."
    )
