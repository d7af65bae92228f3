from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.delivery.contact_sheet import GAP_PIXELS, MAX_SHEET_SIDE_PIXELS, make_contact_sheet
from tests.doubles.images import png

COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "orange", "white")


def sheet(count: int, size: tuple[int, int], infotext: str = "") -> Image.Image:
    data = make_contact_sheet([png(size, colour) for colour in COLOURS[:count]], infotext)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def test_pictures_keep_their_size_and_stand_in_reading_order():
    made = sheet(4, (256, 200))
    assert made.size == (512 + GAP_PIXELS, 400 + GAP_PIXELS)
    middles = [
        (128, 100),
        (384 + GAP_PIXELS, 100),
        (128, 300 + GAP_PIXELS),
        (384 + GAP_PIXELS, 300 + GAP_PIXELS),
    ]
    named = {(255, 0, 0): "red", (0, 255, 0): "lime", (0, 0, 255): "blue", (255, 255, 0): "yellow"}
    assert [named[made.getpixel(middle)] for middle in middles] == list(COLOURS[:4])


@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("size", [(16, 16), (2048, 512), (512, 2048), (1024, 1024)])
def test_every_sheet_is_bounded_and_readable(count, size):
    made = sheet(count, size)
    assert max(made.size) <= MAX_SHEET_SIDE_PIXELS
    assert max(made.size) >= 300


def test_each_picture_bears_a_number():
    made = sheet(2, (200, 200))
    corners = [made.crop((x, 0, x + 50, 50)) for x in (0, 200 + GAP_PIXELS)]
    assert all((255, 255, 255) in {colour for _, colour in one.getcolors(9999)} for one in corners)
    assert corners[0].tobytes() != corners[1].tobytes()


def test_pictures_of_several_sizes_and_with_transparency():
    data = make_contact_sheet([png((100, 50)), png((50, 100), (255, 0, 0, 0), "RGBA")])
    with Image.open(io.BytesIO(data)) as made:
        assert made.mode == "RGB"


def test_it_carries_the_first_ones_parameters():
    assert sheet(2, (32, 32), "a cat\nSteps: 20").info["parameters"] == "a cat\nSteps: 20"
