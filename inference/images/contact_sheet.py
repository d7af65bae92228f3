"""Many pictures in one: contact sheets and animations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from inference.images.metadata import gif_comment

#: Pixels between the pictures of a sheet.
SHEET_GUTTER_PIXELS = 8
SHEET_BACKGROUND_RGB = (24, 24, 27)
#: How long one frame shows, in milliseconds.
FRAME_TIME_MS = 400
#: WebP qualities tried in turn until the file is small enough, before the frames shrink.
WEBP_QUALITIES = (90, 75, 60)
#: Frames that do not fit shrink to this share of their sides, or further where the excess says so.
FRAME_SHRINK_FACTOR = 0.8
MIN_FRAME_SIDE = 32  # pixels

AnimationFormat = Literal["webp", "gif"]


@dataclass(frozen=True)
class AnimatedFile:
    """An animated file and what was done to keep it small."""

    data: bytes
    #: Width and height of the frames, in pixels.
    size: tuple[int, int]
    #: 1–100 for WebP, None for GIF.
    quality: int | None


def near_square_columns(count: int) -> int:
    """Return the number of columns that brings `count` pictures closest to a square."""
    return max(1, math.ceil(count / max(1, round(math.sqrt(count)))))


def make_contact_sheet(
    images: Sequence[Image.Image],
    columns: int | None = None,
    *,
    gutter: int = SHEET_GUTTER_PIXELS,
    largest: int | None = None,
) -> Image.Image:
    """Lay pictures out row by row with gutters between and around them; `RGB`.

    `columns` is near-square unless given; `len(pictures)` makes one row. Cells have the size of the
    largest picture, smaller ones stand in the middle. `largest` bounds the sheet's longer side in
    pixels by scaling all of it down.

    Raises:
        ValueError: there is no picture.
    """
    if not images:
        raise ValueError("A contact sheet needs at least one picture.")
    columns = min(columns or near_square_columns(len(images)), len(images))
    rows = -(-len(images) // columns)
    width = max(image.width for image in images)
    height = max(image.height for image in images)
    step_x, step_y = width + gutter, height + gutter
    sheet = Image.new(
        "RGB", (columns * step_x + gutter, rows * step_y + gutter), SHEET_BACKGROUND_RGB
    )
    for index, image in enumerate(images):
        x = gutter + index % columns * step_x + (width - image.width) // 2
        y = gutter + index // columns * step_y + (height - image.height) // 2
        sheet.paste(image.convert("RGB"), (x, y))
    if largest is not None and max(sheet.size) > largest:
        sheet.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return sheet


def encode_animation(
    frames: Sequence[Image.Image],
    file_format: AnimationFormat,
    max_bytes: int,
    *,
    frame_time: int = FRAME_TIME_MS,
    text: str = "",
) -> AnimatedFile | None:
    """Make an endless animation of at most `most` bytes, None where no size would fit.

    Frames take the first one's size. Quality goes down first (WebP), then the frames shrink.
    `text` is kept in a GIF's comment.

    Raises:
        ValueError: there is no frame.
    """
    if not frames:
        raise ValueError("An animation needs at least one frame.")
    size = frames[0].size
    while min(size) >= MIN_FRAME_SIDE or size == frames[0].size:
        scaled_frames = [
            frame.convert("RGB").resize(size, Image.Resampling.LANCZOS) for frame in frames
        ]
        for quality in WEBP_QUALITIES if file_format == "webp" else (None,):
            data = _encode_frames(scaled_frames, quality, frame_time, text)
            if len(data) <= max_bytes:
                return AnimatedFile(data, size, quality)
        factor = min(FRAME_SHRINK_FACTOR, math.sqrt(max_bytes / len(data)))
        size = (int(size[0] * factor), int(size[1] * factor))
    return None


def _encode_frames(
    frames: Sequence[Image.Image], quality: int | None, frame_time: int, text: str
) -> bytes:
    out = io.BytesIO()
    first, other_frames = frames[0], list(frames[1:])
    if quality is None:
        first.save(
            out,
            "GIF",
            save_all=True,
            append_images=other_frames,
            duration=frame_time,
            loop=0,
            comment=gif_comment(text),
        )
    else:
        first.save(
            out,
            "WEBP",
            save_all=True,
            append_images=other_frames,
            duration=frame_time,
            loop=0,
            quality=quality,
            minimize_size=True,
        )
    return out.getvalue()
