"""Draw the lettered grid over a picture, so that its cells can be named: B2, C3."""

from __future__ import annotations

from itertools import product

from PIL import Image, ImageDraw, ImageFont

from inference.pictures.preview import LARGEST_SIDE
from inference.pictures.shapes import CELLS, LETTERS

INK, PAPER = (255, 255, 255), (0, 0, 0)
#: A letter's height as a share of a cell's shorter side, and its bounds in pixels.
LETTER_SHARE, SMALLEST, LARGEST = 0.22, 10, 48
#: A picture's shorter side is enlarged to this where it is less, so that the letters can be read.
LEAST_SIDE = 320  # pixels


def draw(picture: Image.Image, largest: int = LARGEST_SIDE) -> Image.Image:
    """Draw lines between the cells and each cell's name in its middle; `RGB`.

    The result has the picture's ratio and at most `largest` pixels a side. Lines and names are
    white in black, so that they show on any ground.
    """
    scale = min(max(1.0, LEAST_SIDE / min(picture.size)), largest / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    shown = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(shown)
    _lines(pen, size)
    height = min(size) / CELLS * LETTER_SHARE
    font = ImageFont.load_default(max(SMALLEST, min(LARGEST, height)))
    for column, row in product(range(CELLS), repeat=2):
        middle = ((column + 0.5) * size[0] / CELLS, (row + 0.5) * size[1] / CELLS)
        name = f"{LETTERS[column]}{row + 1}"
        pen.text(middle, name, fill=INK, font=font, anchor="mm", stroke_width=2, stroke_fill=PAPER)
    return shown


def _lines(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    width, height = size
    for colour, thick in ((PAPER, 3), (INK, 1)):
        for number in range(1, CELLS):
            x, y = round(number * width / CELLS), round(number * height / CELLS)
            pen.line((x, 0, x, height), fill=colour, width=thick)
            pen.line((0, y, width, y), fill=colour, width=thick)
