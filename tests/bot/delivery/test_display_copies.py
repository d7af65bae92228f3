from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.delivery.display_copies import MIN_SHOWN_PIXELS, crop_details, make_display_copy
from tests.doubles.images import encoded, noise, png


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((128, 128), (384, 384)),
        ((64, 48), (384, 288)),
        ((383, 10), (766, 20)),
        ((384, 200), (384, 200)),
        ((1024, 512), (1024, 512)),
        ((8, 8), (384, 384)),
    ],
)
def test_small_pictures_are_shown_by_a_whole_number_larger(size, shown):
    made = opened(make_display_copy(png(size)))
    assert made.size == shown
    assert max(shown) >= MIN_SHOWN_PIXELS


def test_an_enlarged_copy_shows_the_same_picture():
    picture = noise((100, 80)).resize((200, 160)).convert("RGB")
    made = opened(make_display_copy(encoded(picture)))
    back = made.convert("RGB").resize(picture.size, Image.Resampling.BOX)
    difference = ImageChops.difference(back, picture).convert("L")
    assert ImageStat.Stat(difference).mean[0] < 4


def test_the_number_stands_in_the_corner_and_nowhere_else():
    plain, numbered = png((400, 300), "blue"), make_display_copy(png((400, 300), "blue"), number=7)
    changed = ImageChops.difference(opened(numbered).convert("RGB"), opened(plain)).getbbox()
    assert changed is not None
    assert changed[2] < 80
    assert changed[3] < 80


def test_a_copy_tells_how_its_picture_was_made():
    assert opened(make_display_copy(png((64, 64)), "a red apple")).text == {
        "parameters": "a red apple"
    }


def test_what_is_transparent_stays_so():
    made = opened(make_display_copy(png((64, 64), (255, 0, 0, 0), "RGBA"), number=1))
    assert made.mode == "RGBA"
    assert made.getpixel((380, 380))[3] == 0


@pytest.mark.parametrize("factor", [2, 4])
def test_details_show_the_same_part_of_both(factor):
    source = noise((400, 400)).resize((400, 400)).convert("RGB")
    result = source.resize((400 * factor, 400 * factor), Image.Resampling.BICUBIC)
    before, after = (opened(data) for data in crop_details(encoded(source), encoded(result)))
    assert before.size == after.size == (512, 512)
    difference = ImageChops.difference(before, after).convert("L").crop((20, 20, 490, 490))
    assert difference.getextrema()[1] < 12
