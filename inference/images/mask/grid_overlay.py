"""Draw the lettered grid over a picture, so that its cells can be named: B2, C3."""

from __future__ import annotations

from itertools import product

from PIL import Image, ImageDraw, ImageFont

from inference.api.prompts.mask_grammar import COLUMN_LETTERS, GRID_CELLS
from inference.images.mask.preview import MAX_PREVIEW_SIDE

LETTER_RGB, OUTLINE_RGB = (255, 255, 255), (0, 0, 0)
#: A letter's height as a share of a cell's shorter side, and its bounds in pixels.
LETTER_SHARE, MIN_LETTER_HEIGHT, MAX_LETTER_HEIGHT = 0.22, 10, 48
#: A picture's shorter side is enlarged to this where it is less, so that the letters can be read.
MIN_SHORTER_SIDE = 320  # pixels


def draw_lettered_grid(image: Image.Image, largest: int = MAX_PREVIEW_SIDE) -> Image.Image:
    """Draw lines between the cells and each cell's name in its middle; `RGB`.

    The result has the picture's ratio and at most `largest` pixels a side. Lines and names are
    white in black, so that they show on any ground.
    """
    scale = min(max(1.0, MIN_SHORTER_SIDE / min(image.size)), largest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    lettered_image = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(lettered_image)
    _draw_grid_lines(pen, size)
    height = min(size) / GRID_CELLS * LETTER_SHARE
    font = ImageFont.load_default(max(MIN_LETTER_HEIGHT, min(MAX_LETTER_HEIGHT, height)))
    for column, row in product(range(GRID_CELLS), repeat=2):
        middle = ((column + 0.5) * size[0] / GRID_CELLS, (row + 0.5) * size[1] / GRID_CELLS)
        name = f"{COLUMN_LETTERS[column]}{row + 1}"
        pen.text(
            middle,
            name,
            fill=LETTER_RGB,
            font=font,
            anchor="mm",
            stroke_width=2,
            stroke_fill=OUTLINE_RGB,
        )
    return lettered_image


def _draw_grid_lines(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    width, height = size
    for colour, thick in ((OUTLINE_RGB, 3), (LETTER_RGB, 1)):
        for number in range(1, GRID_CELLS):
            x, y = round(number * width / GRID_CELLS), round(number * height / GRID_CELLS)
            pen.line((x, 0, x, height), fill=colour, width=thick)
            pen.line((0, y, width, y), fill=colour, width=thick)
