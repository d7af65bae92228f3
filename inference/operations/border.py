"""How well a repaint joins what it was laid into: measured, recorded, said, and ready to mend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from inference.engine.work import Made
from inference.pictures import seams
from inference.pictures.seams import Seam

#: Pixels measured at full size; around larger masks every few are averaged first.
MEASURED = 2048 * 2048


@dataclass(frozen=True, eq=False)
class Border:
    """The edge of a mask, and what it looks like in a picture."""

    #: `L`, not blurred.
    mask: Image.Image
    seam: Seam


def judge(picture: Image.Image, *masks: Image.Image) -> Border:
    """Measure a result along the edges of (unblurred) masks `L` and return the worst of them.

    All have one size.
    """
    return worst([Border(mask, _measure(picture, mask)) for mask in masks])


def worst(borders: Sequence[Border]) -> Border:
    """Return the border that shows most; there must be one."""
    return max(borders, key=lambda border: border.seam.score)


def _measure(picture: Image.Image, mask: Image.Image) -> Seam:
    box = mask.getbbox()
    area = (box[2] - box[0]) * (box[3] - box[1]) if box else 0
    factor = math.ceil(math.sqrt(area / MEASURED))
    if factor > 1:
        return seams.measure(picture.reduce(factor), mask.reduce(factor))
    return seams.measure(picture, mask)


def seam_values(border: Border) -> dict[str, object]:
    """Write a seam into the `parameters` text."""
    return {"Seam score": f"{border.seam.score:.2f}"}


def seam_note(borders: Sequence[Border]) -> tuple[str, ...]:
    """Say that a border catches the eye, and what would help; nothing where none does."""
    seam = worst(borders).seam
    if not seam.visible:
        return ()
    return (
        f"The border of the repaint shows (seam score {seam.score:.2f} of 1). A larger mask blur, "
        "colour correction or soft inpainting hides it better; so does repainting the mask's edge.",
    )


def seam_mask(borders: Sequence[Border]) -> tuple[Made, ...]:
    """Give the mask along whose edge a seam shows most, to be repainted there."""
    border = worst(borders)
    return (Made(picture=border.mask, role="mask"),) if border.seam.visible else ()


def mended_note(before: Border, after: Sequence[Border]) -> tuple[str, ...]:
    """Say what a coherence pass did for the border."""
    seam = worst(after).seam
    left = " What is left may be an edge that belongs there." if seam.visible else ""
    return (f"Seam score {before.seam.score:.2f} before, {seam.score:.2f} after.{left}",)
