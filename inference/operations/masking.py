"""Where an inpainting changes its picture: the mask's sources, united, and what to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from inference.errors import JobError
from inference.jobs import Inpaint
from inference.operations import sizes
from inference.operations.studio import Pictures
from inference.pictures import masks, scribble, shapes
from inference.pictures.errors import FullyTransparent, NoStrokes
from inference.pictures.fill import drop_alpha
from inference.pictures.masks import MaskFit

NOWHERE = (
    "inpaint must know where: attach a mask (white is repainted), say it in words "
    "(mask_shape: left 30%), or send a picture with transparent parts."
)


@dataclass(frozen=True, eq=False)
class Marked:
    """A source and where it is to change."""

    #: `RGB`; transparent pixels show the colours that were behind them.
    source: Image.Image
    #: `L`, the source's size, not yet blurred; white changes.
    mask: Image.Image
    notes: tuple[str, ...]


def mark(
    job: Inpaint, pictures: Pictures, found: Mapping[str, Image.Image] = MappingProxyType({})
) -> Marked:
    """Find a job's mask: what was uploaded, described in words or left transparent, united.

    `found` holds the masks of things that the words name.

    Raises:
        JobError: there is no mask, or it leaves nothing to change.
        PictureError: the picture is too small or fully transparent, or the words cannot be read.
    """
    picture = pictures["image"]
    sizes.check_source(picture)
    painted, notes = _painted(job, pictures, found)
    mask = _with_transparency(picture, painted, soft=job.soft)
    if mask is None:
        raise JobError("mask", NOWHERE)
    if job.mask_mode == "not masked":
        mask = masks.invert(mask)
    if masks.is_blank(mask):
        raise JobError("mask", _blank(job))
    source = picture if picture.mode == "RGB" else drop_alpha(picture)
    return Marked(source, mask, notes)


def _painted(
    job: Inpaint, pictures: Pictures, found: Mapping[str, Image.Image]
) -> tuple[Image.Image | None, tuple[str, ...]]:
    """Unite the mask that was uploaded with the one in words; None where there is neither."""
    size = pictures["image"].size
    given: list[Image.Image] = []
    notes: tuple[str, ...] = ()
    if "mask" in pictures:
        uploaded, notes = _uploaded(pictures["image"], pictures["mask"], soft=job.soft)
        given.append(uploaded)
    if job.mask_shape.strip():
        given.append(shapes.draw(job.mask_shape, size, found))
    if not given:
        return None, ()
    return (given[0] if len(given) == 1 else masks.union(*given)), notes


def _uploaded(
    picture: Image.Image, upload: Image.Image, *, soft: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Read an uploaded mask, or the strokes on a copy of the picture; of the picture's size.

    Raises:
        NoStrokes: it is a copy of the picture on which nothing was drawn.
    """
    strokes = None
    if not upload.has_transparency_data:
        strokes = scribble.strokes(drop_alpha(picture), upload)
    if strokes is not None:
        if masks.is_blank(strokes):
            raise NoStrokes
        return strokes, ("The mask is what was drawn on the copy of the picture.",)
    mask = masks.from_upload(upload, soft=soft)
    fitted, fit = masks.lay_over(mask, picture.size)
    return fitted, _fit_note(mask.size, picture.size, fit)


def _with_transparency(
    picture: Image.Image, painted: Image.Image | None, *, soft: bool
) -> Image.Image | None:
    """Add the source's own transparent pixels; None where nothing is marked at all."""
    if not picture.has_transparency_data:
        return painted
    own = masks.from_transparency(picture)
    if picture.convert("RGBA").getchannel("A").getbbox() is None:
        raise FullyTransparent
    if masks.is_blank(own):
        return painted
    if painted is not None and soft:
        return masks.union(own, painted)
    return masks.from_source(picture, painted)


def _fit_note(given: tuple[int, int], size: tuple[int, int], fit: MaskFit) -> tuple[str, ...]:
    there, here = f"{given[0]} x {given[1]}", f"{size[0]} x {size[1]}"
    match fit:
        case MaskFit.SAME:
            return ()
        case MaskFit.SCALED:
            return (f"The mask was scaled from {there} to the picture's {here}.",)
        case MaskFit.STRETCHED:
            return (
                f"The mask of {there} has another shape than the picture of {here}: it was "
                "stretched over it.",
            )


def _blank(job: Inpaint) -> str:
    if job.mask_mode == "not masked":
        return (
            "The mask is all white, so “not masked” leaves nothing to change: choose “masked”, or "
            "paint a smaller area."
        )
    return (
        "The mask has no white pixel, so nothing would change: paint the area to change white, or "
        "choose “not masked”."
    )
