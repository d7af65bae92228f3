"""What an inpainting works on: which part of the source, at which size, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from inference.errors import JobError
from inference.jobs import Inpaint
from inference.operations import sizes
from inference.operations.masking import Marked
from inference.pictures import masks, regions, seams
from inference.pictures.overlay import paste_back
from inference.pictures.regions import Box, ResolutionGain, Size
from inference.pictures.resize import ResizeMode, fit


@dataclass(frozen=True, eq=False)
class View:
    """A part of a picture at the size it is worked on, and where its repaint goes."""

    #: `RGB` and blurred mask `L`, both of the size worked on.
    picture: Image.Image
    mask: Image.Image
    #: What the repaint is laid into, `RGB`, and of its size: the overlay mask and the mask as it
    #: was before blurring, `L`.
    original: Image.Image
    overlay: Image.Image
    border: Image.Image
    #: The part of the original that is worked on.
    box: Box

    @property
    def size(self) -> Size:
        """The size worked on."""
        return self.picture.size

    @property
    def gain(self) -> ResolutionGain:
        """How much larger it is worked on than it is in the original."""
        return ResolutionGain(self.box, self.size)

    def put_back(self, patch: Image.Image, overlay: Image.Image | None = None) -> Image.Image:
        """Lay a repaint into the original under the overlay mask; `RGB`, the original's size."""
        return paste_back(patch, self.original, overlay or self.overlay, self.box)

    def placed(self, mask: Image.Image) -> Image.Image:
        """Scale a mask of the size worked on into its place, black around it; `L`."""
        left, upper, right, lower = self.box
        whole = Image.new("L", self.original.size, 0)
        part = fit(mask, right - left, lower - upper, ResizeMode.CROP_AND_RESIZE)
        whole.paste(part, (left, upper))
        return whole


#: How far a coherence pass reaches to each side of a mask's edge, in pixels of the source.
EDGE = 16


def look(job: Inpaint, marked: Marked, natural: int, limit: int | None = None) -> View:
    """Choose what to work on.

    Only the masked area: the mask's box, padded and grown to the ratio of the job's size. The whole
    picture: fitted to the job's size, which is then the result's, as everywhere in the field. A job
    that names no size works on the whole picture at the model's own and gives the source's size
    back, so that what lies outside the mask stays the source, bit for bit. The mask's edge: a band
    along it, at the size it has, or the model's own where that is larger.

    Args:
        job: what is asked.
        marked: the source and its mask.
        natural: side of the model's own pictures, in pixels.
        limit: pixels of the largest picture that an edge may be worked on as.

    Raises:
        JobError: the edge is asked for and there is none.
    """
    if job.area == "mask edge":
        return _edge(job, marked, natural, limit)
    size = sizes.target_size(job.width, job.height, marked.source.size, natural)
    blurred = masks.blur(marked.mask, job.mask_blur)
    if job.area == "only masked":
        return _cut_out(
            marked, blurred, blurred, regions.crop_region(blurred, job.padding, size), size
        )
    if job.width is None and job.height is None:
        everything = (0, 0, *marked.source.size)
        return _cut_out(marked, blurred, masks.overlay_mask(blurred), everything, size)
    return _fitted(marked, blurred, size, ResizeMode(job.resize_mode))


def _edge(job: Inpaint, marked: Marked, natural: int, limit: int | None) -> View:
    """Work on a band along the mask's edge, cut out with the padding around it."""
    band = seams.band(marked.mask, EDGE)
    if masks.is_blank(band):
        raise JobError("mask", "The mask covers the whole picture, so it has no edge to repaint.")
    blurred = masks.blur(band, job.mask_blur)
    box = regions.pad(regions.bounding_box(blurred), job.padding, band.size)
    if job.width is None and job.height is None:
        size = _own_size(box, natural, limit)
    else:
        size = sizes.target_size(job.width, job.height, marked.source.size, natural)
        box = regions.expand_to_ratio(box, size, band.size)
    return _cut_out(marked, blurred, blurred, box, size)


def _own_size(box: Box, natural: int, limit: int | None) -> Size:
    """Return a box's own size in whole cells, enlarged to the model's area, within the limit."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = max(1.0, natural / math.sqrt(width * height))
    if limit is not None:
        scale = min(scale, math.sqrt(limit / (width * height)))
    return sizes.below(width * scale), sizes.below(height * scale)


def _cut_out(
    marked: Marked, blurred: Image.Image, overlay: Image.Image, box: Box, size: Size
) -> View:
    """Work on a box of the source, filled up where its ratio is not that of the size."""
    return View(
        picture=fit(marked.source.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        mask=fit(blurred.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        original=marked.source,
        overlay=overlay,
        border=marked.mask,
        box=box,
    )


def _fitted(marked: Marked, blurred: Image.Image, size: Size, mode: ResizeMode) -> View:
    """Work on the whole source as its resize mode brings it to the size; the mask follows."""
    if mode is ResizeMode.LATENT_UPSCALE:
        mode = ResizeMode.JUST_RESIZE
    picture = fit(marked.source, *size, mode)
    mask = fit(blurred, *size, mode)
    return View(
        picture=picture,
        mask=mask,
        original=picture,
        overlay=masks.overlay_mask(mask),
        border=fit(marked.mask, *size, mode),
        box=(0, 0, *size),
    )
