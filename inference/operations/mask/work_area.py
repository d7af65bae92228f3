"""What an inpainting works on: which part of the source, at which size, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import InpaintJob
from inference.images import regions, seams
from inference.images.compositing import paste_back
from inference.images.mask import masks
from inference.images.regions import Box, ResolutionGain, Size
from inference.images.resize import ResizeMode, fit_image
from inference.operations.mask.mask_input import MaskedJob
from inference.operations.shared import sizes


@dataclass(frozen=True, eq=False)
class WorkArea:
    """A part of a picture at the size it is worked on, and where its repaint goes."""

    #: `RGB` and blurred mask `L`, both of the size worked on.
    image: Image.Image
    mask: Image.Image
    #: What the repaint is laid into, `RGB`, and of its size: the overlay mask and the mask as it
    #: was before blurring, `L`.
    original: Image.Image
    overlay_mask: Image.Image
    hard_mask: Image.Image
    #: The part of the original that is worked on.
    box: Box

    @property
    def size(self) -> Size:
        """The size worked on."""
        return self.image.size

    @property
    def resolution_gain(self) -> ResolutionGain:
        """How much larger it is worked on than it is in the original."""
        return ResolutionGain(self.box, self.size)

    def put_back(self, patch: Image.Image, overlay_mask: Image.Image | None = None) -> Image.Image:
        """Lay a repaint into the original under the overlay mask; `RGB`, the original's size."""
        return paste_back(patch, self.original, overlay_mask or self.overlay_mask, self.box)

    def place_mask(self, mask: Image.Image) -> Image.Image:
        """Scale a mask of the size worked on into its place, black around it; `L`."""
        left, upper, right, lower = self.box
        full_mask = Image.new("L", self.original.size, 0)
        scaled_mask = fit_image(mask, right - left, lower - upper, ResizeMode.CROP_AND_RESIZE)
        full_mask.paste(scaled_mask, (left, upper))
        return full_mask


#: How far a coherence pass reaches to each side of a mask's edge, in pixels of the source.
EDGE_BAND_PIXELS = 16


def choose_work_area(
    job: InpaintJob, masked_job: MaskedJob, natural: int, max_pixels: int | None = None
) -> WorkArea:
    """Choose what to work on.

    Only the masked area: the mask's box, padded and grown to the ratio of the job's size. The whole
    picture: fitted to the job's size, which is then the result's, as everywhere in the field. A job
    that names no size works on the whole picture at the model's own and gives the source's size
    back, so that what lies outside the mask stays the source, bit for bit. The mask's edge: a band
    along it, at the size it has, or the model's own where that is larger.

    Args:
        job: what is asked.
        masked_job: the source and its mask.
        natural: side of the model's own pictures, in pixels.
        max_pixels: pixels of the largest picture that an edge may be worked on as.

    Raises:
        JobError: the edge is asked for and there is none.
    """
    if job.area == "mask edge":
        return _edge_area(job, masked_job, natural, max_pixels)
    size = sizes.target_size(job.width, job.height, masked_job.source.size, natural)
    blurred_mask = masks.blur_mask(masked_job.mask, job.mask_blur)
    if job.area == "only masked":
        return _cut_out_area(
            masked_job,
            blurred_mask,
            blurred_mask,
            regions.crop_region(blurred_mask, job.padding, size),
            size,
        )
    if job.width is None and job.height is None:
        whole_box = (0, 0, *masked_job.source.size)
        return _cut_out_area(
            masked_job, blurred_mask, masks.overlay_mask(blurred_mask), whole_box, size
        )
    return _resized_area(masked_job, blurred_mask, size, ResizeMode(job.resize_mode))


def _edge_area(
    job: InpaintJob, masked_job: MaskedJob, natural: int, max_pixels: int | None
) -> WorkArea:
    """Work on a band along the mask's edge, cut out with the padding around it."""
    band = seams.seam_band(masked_job.mask, EDGE_BAND_PIXELS)
    if masks.is_blank(band):
        raise JobError("mask", "The mask covers the whole picture, so it has no edge to repaint.")
    blurred_mask = masks.blur_mask(band, job.mask_blur)
    box = regions.pad_box(regions.bounding_box(blurred_mask), job.padding, band.size)
    if job.width is None and job.height is None:
        size = _work_size(box, natural, max_pixels)
    else:
        size = sizes.target_size(job.width, job.height, masked_job.source.size, natural)
        box = regions.expand_to_ratio(box, size, band.size)
    return _cut_out_area(masked_job, blurred_mask, blurred_mask, box, size)


def _work_size(box: Box, natural: int, max_pixels: int | None) -> Size:
    """Return a box's own size in whole cells, enlarged to the model's area, within the limit."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = max(1.0, natural / math.sqrt(width * height))
    if max_pixels is not None:
        scale = min(scale, math.sqrt(max_pixels / (width * height)))
    return sizes.round_length_down(width * scale), sizes.round_length_down(height * scale)


def _cut_out_area(
    masked_job: MaskedJob,
    blurred_mask: Image.Image,
    overlay_mask: Image.Image,
    box: Box,
    size: Size,
) -> WorkArea:
    """Work on a box of the source, filled up where its ratio is not that of the size."""
    return WorkArea(
        image=fit_image(masked_job.source.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        mask=fit_image(blurred_mask.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        original=masked_job.source,
        overlay_mask=overlay_mask,
        hard_mask=masked_job.mask,
        box=box,
    )


def _resized_area(
    masked_job: MaskedJob, blurred_mask: Image.Image, size: Size, mode: ResizeMode
) -> WorkArea:
    """Work on the whole source as its resize mode brings it to the size; the mask follows."""
    if mode is ResizeMode.LATENT_UPSCALE:
        mode = ResizeMode.JUST_RESIZE
    image = fit_image(masked_job.source, *size, mode)
    mask = fit_image(blurred_mask, *size, mode)
    return WorkArea(
        image=image,
        mask=mask,
        original=image,
        overlay_mask=masks.overlay_mask(mask),
        hard_mask=fit_image(masked_job.mask, *size, mode),
        box=(0, 0, *size),
    )
