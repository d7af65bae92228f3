"""Many pictures in one: contact sheets and animations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from inference.pictures.metadata import gif_comment

#: Pixels between the pictures of a sheet.
GUTTER = 8
BACKGROUND = (24, 24, 27)
#: How long one frame shows, in milliseconds.
FRAME_TIME = 400
#: WebP qualities tried in turn until the file is small enough, before the frames shrink.
QUALITIES = (90, 75, 60)
#: Frames that do not fit shrink to this share of their sides, or further where the excess says so.
SHRINK = 0.8
SMALLEST_SIDE = 32  # pixels

AnimationFormat = Literal["webp", "gif"]


@dataclass(frozen=True)
class Animation:
    """An animated file and what was done to keep it small."""

    data: bytes
    #: Width and height of the frames, in pixels.
    size: tuple[int, int]
    #: 1–100 for WebP, None for GIF.
    quality: int | None


def near_square(count: int) -> int:
    """Return the number of columns that brings `count` pictures closest to a square."""
    return max(1, math.ceil(count / max(1, round(math.sqrt(count)))))


def contact_sheet(
    pictures: Sequence[Image.Image],
    columns: int | None = None,
    *,
    gutter: int = GUTTER,
    largest: int | None = None,
) -> Image.Image:
    """Lay pictures out row by row with gutters between and around them; `RGB`.

    `columns` is near-square unless given; `len(pictures)` makes one row. Cells have the size of the
    largest picture, smaller ones stand in the middle. `largest` bounds the sheet's longer side in
    pixels by scaling all of it down.

    Raises:
        ValueError: there is no picture.
    """
    if not pictures:
        raise ValueError("A contact sheet needs at least one picture.")
    columns = min(columns or near_square(len(pictures)), len(pictures))
    rows = -(-len(pictures) // columns)
    width = max(picture.width for picture in pictures)
    height = max(picture.height for picture in pictures)
    step_x, step_y = width + gutter, height + gutter
    sheet = Image.new("RGB", (columns * step_x + gutter, rows * step_y + gutter), BACKGROUND)
    for index, picture in enumerate(pictures):
        x = gutter + index % columns * step_x + (width - picture.width) // 2
        y = gutter + index // columns * step_y + (height - picture.height) // 2
        sheet.paste(picture.convert("RGB"), (x, y))
    if largest is not None and max(sheet.size) > largest:
        sheet.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return sheet


def animate(
    frames: Sequence[Image.Image],
    file_format: AnimationFormat,
    most: int,
    *,
    frame_time: int = FRAME_TIME,
    text: str = "",
) -> Animation | None:
    """Make an endless animation of at most `most` bytes, None where no size would fit.

    Frames take the first one's size. Quality goes down first (WebP), then the frames shrink.
    `text` is kept in a GIF's comment.

    Raises:
        ValueError: there is no frame.
    """
    if not frames:
        raise ValueError("An animation needs at least one frame.")
    size = frames[0].size
    while min(size) >= SMALLEST_SIDE or size == frames[0].size:
        scaled = [frame.convert("RGB").resize(size, Image.Resampling.LANCZOS) for frame in frames]
        for quality in QUALITIES if file_format == "webp" else (None,):
            data = _encode(scaled, quality, frame_time, text)
            if len(data) <= most:
                return Animation(data, size, quality)
        factor = min(SHRINK, math.sqrt(most / len(data)))
        size = (int(size[0] * factor), int(size[1] * factor))
    return None


def _encode(
    frames: Sequence[Image.Image], quality: int | None, frame_time: int, text: str
) -> bytes:
    out = io.BytesIO()
    first, rest = frames[0], list(frames[1:])
    if quality is None:
        first.save(
            out,
            "GIF",
            save_all=True,
            append_images=rest,
            duration=frame_time,
            loop=0,
            comment=gif_comment(text),
        )
    else:
        first.save(
            out,
            "WEBP",
            save_all=True,
            append_images=rest,
            duration=frame_time,
            loop=0,
            quality=quality,
            minimize_size=True,
        )
    return out.getvalue()
