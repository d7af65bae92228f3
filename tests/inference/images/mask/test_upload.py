from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inference.images.mask.upload import MaskReading, read_uploaded_mask
from tests.inference.images.samples import cat

SIDE = 128


def disc(ground=0, mark=255):
    image = Image.new("L", (SIDE, SIDE), ground)
    ImageDraw.Draw(image).ellipse((40, 60, 72, 92), fill=mark)
    return image


EXPECTED = np.asarray(disc()) > 128


def with_alpha(image, alpha):
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(np.asarray(alpha, dtype=np.uint8)))
    return image


def alpha_of(value):
    return np.full((SIDE, SIDE), value)


def one_row():
    alpha = alpha_of(255)
    alpha[0] = 0
    return with_alpha(disc(), alpha)


def rotated_corners():
    alpha = np.asarray(Image.new("L", (SIDE, SIDE), 255).rotate(4)).copy()
    return with_alpha(disc(), alpha)


def saved_as(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def strokes(colour, alpha=255):
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    image.paste(Image.new("RGBA", (SIDE, SIDE), (*colour, alpha)), mask=disc())
    return image


def hole_in(image):
    return with_alpha(image, 255 - np.asarray(disc()))


def scanned():
    grain = np.random.default_rng(1).normal(0, 6, (SIDE, SIDE))
    return Image.fromarray(np.clip(np.asarray(disc(40, 215)) + grain, 0, 255).astype(np.uint8))


DISCS = {
    "grey": (disc(), MaskReading.LUMINANCE),
    "opaque": (disc().convert("RGBA"), MaskReading.LUMINANCE),
    "alpha 254": (with_alpha(disc(), alpha_of(254)), MaskReading.LUMINANCE),
    "one transparent row": (one_row(), MaskReading.LUMINANCE),
    "transparent corners": (rotated_corners(), MaskReading.LUMINANCE),
    "white of alpha 200": (
        with_alpha(disc(), np.where(EXPECTED, 200, 255)),
        MaskReading.LUMINANCE,
    ),
    "a lossy format": (saved_as(disc(), "JPEG", quality=30), MaskReading.LUMINANCE),
    "a scan": (scanned(), MaskReading.LUMINANCE),
    "dark on black": (disc(0, 100), MaskReading.LUMINANCE),
    "white on light": (disc(150, 255), MaskReading.LUMINANCE),
    "a palette": (disc().convert("P"), MaskReading.LUMINANCE),
    "two bits": (disc().convert("1"), MaskReading.LUMINANCE),
    "white strokes": (strokes((255, 255, 255)), MaskReading.ALPHA),
    "black strokes": (strokes((0, 0, 0)), MaskReading.ALPHA),
    "red strokes": (strokes((220, 30, 30)), MaskReading.ALPHA),
    "strokes half seen": (strokes((0, 90, 200), 150), MaskReading.ALPHA),
    "thin strokes": (strokes((0, 90, 200), 90), MaskReading.ALPHA),
    "black with a hole": (hole_in(Image.new("RGB", (SIDE, SIDE))), MaskReading.HOLE),
    "red with a hole": (hole_in(Image.new("RGB", (SIDE, SIDE), "red")), MaskReading.HOLE),
    "a photograph with a hole": (hole_in(cat().resize((SIDE, SIDE))), MaskReading.HOLE),
}


@pytest.mark.parametrize("name", DISCS)
def test_a_disc_is_read_as_one_however_it_was_saved(name):
    image, expected_reading = DISCS[name]
    mask, reading = read_uploaded_mask(image)
    assert reading is expected_reading
    assert mask.mode == "L"
    assert set(np.unique(mask)) <= {0, 255}
    assert np.mean((np.asarray(mask) > 128) != EXPECTED) < 0.005


@pytest.mark.parametrize("name", DISCS)
def test_a_soft_mask_keeps_its_ground_black(name):
    image, _ = DISCS[name]
    mask, _ = read_uploaded_mask(image, soft=True)
    if name not in {"a scan", "white on light", "a lossy format"}:
        assert np.asarray(mask)[~EXPECTED].max(initial=0) <= 255 * 0.15
    assert np.asarray(mask)[EXPECTED].mean() > np.asarray(mask)[~EXPECTED].mean() + 60


def test_a_lossy_black_ground_is_no_mark():
    for soft in (False, True):
        mask, _ = read_uploaded_mask(saved_as(disc(), "JPEG", quality=75), soft=soft)
        left, upper, right, lower = mask.getbbox()
        assert 36 <= left <= 40
        assert 56 <= upper <= 60
        assert 73 <= right <= 77
        assert 93 <= lower <= 97


def test_alpha_is_cut_in_the_middle_unless_soft():
    image = Image.new("RGBA", (6, 1), (255, 255, 255, 255))
    alpha = np.array([[0, 10, 128, 129, 250, 255]], dtype=np.uint8)
    image.putalpha(Image.fromarray(alpha))
    assert list(np.asarray(read_uploaded_mask(image)[0])[0]) == [0, 0, 0, 255, 255, 255]
    soft, _ = read_uploaded_mask(image, soft=True)
    assert list(np.asarray(soft)[0]) == [0, 0, 128, 129, 255, 255]


def test_one_tone_stays_what_it_is():
    for level, expected in ((0, 0), (60, 0), (128, 0), (129, 255), (200, 255)):
        mask, _ = read_uploaded_mask(Image.new("L", (9, 9), level))
        assert mask.getextrema() == (expected, expected)


def test_a_white_ground_with_a_hole_changes_where_it_is_white():
    mask, reading = read_uploaded_mask(hole_in(Image.new("RGB", (SIDE, SIDE), "white")))
    assert reading is MaskReading.ALPHA
    assert np.array_equal(np.asarray(mask) > 128, ~EXPECTED)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(200, 255),
    st.integers(180, 255),
    st.booleans(),
)
def test_a_drawing_is_its_luminance_whatever_its_alpha(seed, black, white, least_alpha, soft):
    random = np.random.default_rng(seed)
    white_pixels = random.random((40, 50)) < random.uniform(0.1, 0.9)
    grey = np.where(white_pixels, white, black).astype(np.uint8)
    alpha = random.integers(least_alpha, 256, grey.shape)
    mask, _ = read_uploaded_mask(with_alpha(Image.fromarray(grey), alpha), soft=soft)
    bright = np.asarray(mask) > 100
    assert np.array_equal(bright, white_pixels)
