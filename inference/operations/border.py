"""How well a repaint joins what it was laid into: measured, recorded and said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from inference.pictures import seams
from inference.pictures.seams import Seam

#: Pixels measured at full size; around larger masks every few are averaged first.
MEASURED = 2048 * 2048


def judge(picture: Image.Image, *borders: Image.Image) -> Seam:
    """Measure a result along the borders of (unblurred) masks `L` and return the worst of them.

    All have one size.
    """
    return max((_measure(picture, border) for border in borders), key=lambda seam: seam.score)


def _measure(picture: Image.Image, border: Image.Image) -> Seam:
    box = border.getbbox()
    area = (box[2] - box[0]) * (box[3] - box[1]) if box else 0
    factor = math.ceil(math.sqrt(area / MEASURED))
    if factor > 1:
        return seams.measure(picture.reduce(factor), border.reduce(factor))
    return seams.measure(picture, border)


def seam_values(seam: Seam) -> dict[str, object]:
    """Write a seam into the `parameters` text."""
    return {"Seam score": f"{seam.score:.2f}"}


def seam_note(measured: Sequence[Seam]) -> tuple[str, ...]:
    """Say that a border catches the eye, and what would help; nothing where none does."""
    worst = max((seam.score for seam in measured), default=0.0)
    if worst < seams.VISIBLE:
        return ()
    return (
        f"The border of the repaint shows (seam score {worst:.2f} of 1). A larger mask blur, "
        "colour correction or soft inpainting hides it better.",
    )
