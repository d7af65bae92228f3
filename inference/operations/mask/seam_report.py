"""How well a repaint joins what it was laid into: measured, recorded, said, and ready to mend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from inference.api.notices import Notice
from inference.engine.work import OutputImage
from inference.images import seams
from inference.images.seams import SeamMeasurement

#: Pixels measured at full size; around larger masks every few are averaged first.
MAX_MEASURED_PIXELS = 2048 * 2048


@dataclass(frozen=True, eq=False)
class SeamReport:
    """The edge of a mask, and what it looks like in a picture."""

    #: `L`, not blurred.
    mask: Image.Image
    seam: SeamMeasurement


def measure_seam(image: Image.Image, *masks: Image.Image) -> SeamReport:
    """Measure a result along the edges of (unblurred) masks `L` and return the worst of them.

    All have one size.
    """
    factor = max(map(_reduction_factor, masks))
    seen_image, seen_masks = image, masks
    if factor > 1:
        seen_image, seen_masks = image.reduce(factor), tuple(mask.reduce(factor) for mask in masks)
    measurements = seams.measure_mask_borders(seen_image, seen_masks)
    return worst_seam(list(map(SeamReport, masks, measurements)))


def worst_seam(reports: Sequence[SeamReport]) -> SeamReport:
    """Return the border that shows most; there must be one."""
    return max(reports, key=lambda border: border.seam.seam_score)


def _reduction_factor(mask: Image.Image) -> int:
    """Give how many pixels a side are averaged before a mask's edge is measured."""
    box = mask.getbbox()
    area = (box[2] - box[0]) * (box[3] - box[1]) if box else 0
    return max(1, math.ceil(math.sqrt(area / MAX_MEASURED_PIXELS)))


def seam_values(report: SeamReport) -> dict[str, object]:
    """Write a seam into the `parameters` text."""
    return {"Seam score": f"{report.seam.seam_score:.2f}"}


def seam_note(reports: Sequence[SeamReport]) -> tuple[Notice, ...]:
    """Say that a border catches the eye, and what would help; nothing where none does."""
    seam = worst_seam(reports).seam
    if not seam.is_visible:
        return ()
    return (Notice("seam.visible", score=f"{seam.seam_score:.2f}"),)


def seam_mask(reports: Sequence[SeamReport]) -> tuple[OutputImage, ...]:
    """Give the mask along whose edge a seam shows most, to be repainted there."""
    worst_report = worst_seam(reports)
    return (
        (OutputImage(image=worst_report.mask, role="mask"),) if worst_report.seam.is_visible else ()
    )


def repair_note(old_report: SeamReport, new_reports: Sequence[SeamReport]) -> tuple[Notice, ...]:
    """Say what a coherence pass did for the border."""
    seam = worst_seam(new_reports).seam
    scores = {"before": f"{old_report.seam.seam_score:.2f}", "after": f"{seam.seam_score:.2f}"}
    return (Notice("seam.left" if seam.is_visible else "seam.repaired", **scores),)
