"""What an inpainting works on: which part of the source, and at which size."""

from __future__ import annotations

import math
from dataclasses import replace

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs.sizes import LATENT_CELL_PIXELS
from inference.images import regions, seams
from inference.images.mask import masks
from inference.images.regions import Box, Size
from inference.images.resize import ResizeMode, fit_image
from inference.operations.mask.masked_job import MaskedJob, WorkArea
from inference.operations.shared import sizes

#: How far a coherence pass reaches to each side of a mask's edge, in pixels of the source.
EDGE_BAND_PIXELS = 16


def choose_work_area(
    masked_job: MaskedJob,
    natural: int,
    max_pixels: int | None = None,
    multiple: int = LATENT_CELL_PIXELS,
) -> MaskedJob:
    """Choose what to work on.

    Only the masked area: the mask's box, padded and grown to the ratio of the job's size. The whole
    picture: fitted to the job's size, which is then the result's, as everywhere in the field. A job
    that names no size works on the whole picture at the model's own and gives the source's size
    back, so that what lies outside the mask stays the source, bit for bit. The mask's edge: a band
    along it, at the size it has, or the model's own where that is larger.

    Args:
        masked_job: what is asked, the source and its mask.
        natural: side of the model's own pictures, in pixels.
        max_pixels: pixels of the largest picture that an edge may be worked on as.
        multiple: what sides of the model's pictures are multiples of.

    Raises:
        JobError: the edge is asked for and there is none.
    """
    job, source = masked_job.job, masked_job.source
    if job.area == "mask edge":
        return _cut_out_edge(masked_job, natural, max_pixels, multiple)
    size = sizes.target_size(job.width, job.height, source.size, natural, multiple)
    mask = masks.blur_mask(masked_job.mask, job.mask_blur)
    if job.area == "only masked":
        return _cut_out(masked_job, mask, mask, regions.crop_region(mask, job.padding, size), size)
    if job.width is None and job.height is None:
        return _cut_out(masked_job, mask, masks.overlay_mask(mask), (0, 0, *source.size), size)
    return _resize_whole(masked_job, mask, size)


def _cut_out_edge(
    masked_job: MaskedJob, natural: int, max_pixels: int | None, multiple: int
) -> MaskedJob:
    """Work on a band along the mask's edge, cut out with the padding around it."""
    job, source = masked_job.job, masked_job.source
    mask = seams.seam_band(masked_job.mask, EDGE_BAND_PIXELS)
    if masks.is_blank(mask):
        raise JobError("mask", "mask.no_edge")
    mask = masks.blur_mask(mask, job.mask_blur)
    box = regions.pad_box(regions.bounding_box(mask), job.padding, source.size)
    if job.width is None and job.height is None:
        size = _work_size(box, natural, max_pixels, multiple)
    else:
        size = sizes.target_size(job.width, job.height, source.size, natural, multiple)
        box = regions.expand_to_ratio(box, size, source.size)
    return _cut_out(masked_job, mask, mask, box, size)


def _work_size(box: Box, natural: int, max_pixels: int | None, multiple: int) -> Size:
    """Return a box's own size in whole cells, enlarged to the model's area, within the limit."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = max(1.0, natural / math.sqrt(width * height))
    if max_pixels is not None:
        scale = min(scale, math.sqrt(max_pixels / (width * height)))
    return (
        sizes.floor_to_latent(width * scale, multiple),
        sizes.floor_to_latent(height * scale, multiple),
    )


def _cut_out(
    masked_job: MaskedJob, mask: Image.Image, overlay_mask: Image.Image, box: Box, size: Size
) -> MaskedJob:
    """Work on a box of the source, filled up where its ratio is not that of the size."""
    area = WorkArea(
        image=fit_image(masked_job.source.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        mask=fit_image(mask.crop(box), *size, ResizeMode.RESIZE_AND_FILL),
        original=masked_job.source,
        overlay_mask=overlay_mask,
        hard_mask=masked_job.mask,
        box=box,
    )
    return replace(masked_job, area=area)


def _resize_whole(masked_job: MaskedJob, mask: Image.Image, size: Size) -> MaskedJob:
    """Work on the whole source as its resize mode brings it to the size; the mask follows."""
    mode = ResizeMode(masked_job.job.resize_mode)
    if mode is ResizeMode.LATENT_UPSCALE:
        mode = ResizeMode.JUST_RESIZE
    image, mask, hard_mask = (
        fit_image(layer, *size, mode) for layer in (masked_job.source, mask, masked_job.mask)
    )
    area = WorkArea(image, mask, image, masks.overlay_mask(mask), hard_mask, (0, 0, *size))
    return replace(masked_job, area=area)
