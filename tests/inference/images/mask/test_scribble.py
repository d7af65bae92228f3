"""Strokes on copies of real pictures: scaled, cropped, saved as JPEG."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from inference.images.mask.copy_alignment import find_place
from inference.images.mask.scribble import find_strokes

SAMPLES = Path(__file__).parents[4] / "bot" / "samples"
PHOTOS = ("astronaut.jpg", "chelsea.jpg")
INKS = ((255, 0, 255), (0, 255, 0), (0, 255, 255))


@cache
def sample(name: str) -> Image.Image:
    with Image.open(SAMPLES / name) as image:
        whole = image.convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(ground, whole).convert("RGB")


def drawn(size: tuple[int, int], points: list[tuple[float, float]], width: float) -> Image.Image:
    """A line through points, given as shares of the picture, as mask."""
    mask = Image.new("L", size, 0)
    path = [(x * size[0], y * size[1]) for x, y in points]
    ImageDraw.Draw(mask).line(path, 255, max(3, round(width * min(size))), "curve")
    return mask


def sent(image: Image.Image, scale: float = 1, quality: int = 80) -> Image.Image:
    """What a phone makes of it on its way."""
    size = (round(image.width * scale), round(image.height * scale))
    file = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=quality)
    with Image.open(file) as copy:
        return copy.convert("RGB")


def overlap(mask: Image.Image, truth: Image.Image) -> float:
    found, wanted = (np.asarray(one) == 255 for one in (mask, truth))
    return float((found & wanted).sum() / (found | wanted).sum())


POINT = st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9))


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(PHOTOS),
    points=st.lists(POINT, min_size=2, max_size=5),
    width=st.floats(0.05, 0.12),
    ink=st.sampled_from(INKS),
    scale=st.floats(0.5, 2),
    quality=st.integers(60, 95),
)
def test_strokes_are_recovered(name, points, width, ink, scale, quality):
    image = sample(name)
    truth = drawn(image.size, points, width)
    if np.asarray(truth).astype(bool).sum() < 400:
        return  # two points at one place
    copy = image.copy()
    copy.paste(ink, mask=truth)
    mask = find_strokes(image, sent(copy, scale, quality))
    assert mask.size == image.size
    assert overlap(mask, truth) >= 0.9


@pytest.mark.parametrize("box", [(60, 40, 400, 300), (0, 0, 300, 300), (30, 0, 451, 280)])
@pytest.mark.parametrize("scale", [0.7, 1.6])
def test_a_cropped_copy_is_laid_where_it_belongs(box, scale):
    image = sample("chelsea.jpg")
    truth = drawn(image.size, [(0.3, 0.4), (0.5, 0.5), (0.55, 0.7)], 0.1)
    copy = image.copy()
    copy.paste(INKS[0], mask=truth)
    mask = find_strokes(image, sent(copy.crop(box), scale))
    assert overlap(mask, truth) >= 0.85


@pytest.mark.parametrize("name", [*PHOTOS, "red-apple.png"])
@pytest.mark.parametrize(("scale", "quality"), [(0.5, 60), (0.67, 60), (1, 75), (1.7, 95)])
def test_a_copy_without_strokes_marks_nothing(name, scale, quality):
    image = sample(name)
    assert find_strokes(image, sent(image, scale, quality)).getbbox() is None


@pytest.mark.parametrize("name", [*PHOTOS, "red-apple.png"])
def test_masks_are_no_copies(name):
    image = sample(name)
    mask = drawn(image.size, [(0.2, 0.2), (0.7, 0.5)], 0.2)
    soft = mask.filter(ImageFilter.GaussianBlur(12))
    for one in (mask, soft, Image.new("L", image.size, 0), Image.new("L", (50, 50), 128)):
        assert find_strokes(image, one) is None


def test_another_picture_is_no_copy():
    assert find_strokes(sample("chelsea.jpg"), sample("astronaut.jpg")) is None
    assert find_strokes(sample("astronaut.jpg"), sample("chelsea.jpg").resize((512, 512))) is None


def test_colours_that_an_editor_shifted_are_no_strokes():
    image = sample("chelsea.jpg")
    warmer = Image.merge(
        "RGB",
        [
            one.point([min(255, v + d) for v in range(256)])
            for one, d in zip(image.split(), (8, 4, 0), strict=True)
        ],
    )
    assert find_strokes(image, warmer).getbbox() is None


def test_a_marker_that_lets_the_picture_through():
    image = sample("chelsea.jpg")
    truth = drawn(image.size, [(0.3, 0.4), (0.6, 0.6)], 0.15)
    ink = Image.new("RGB", image.size, (0, 255, 0))
    copy = Image.composite(Image.blend(image, ink, 0.6), image, truth)
    assert overlap(find_strokes(image, sent(copy)), truth) >= 0.85


@pytest.mark.parametrize("size", [(8, 8), (9, 300), (1, 1)])
def test_tiny_copies_break_nothing(size):
    image = sample("chelsea.jpg")
    mask = find_strokes(image, image.resize(size))
    assert mask is None or mask.getbbox() is None
    assert find_strokes(Image.new("RGB", (8, 8), "red"), image) is None


def test_the_place_of_a_crop():
    image = sample("astronaut.jpg")
    place = find_place(image, image.crop((100, 60, 400, 300)).resize((450, 360)))
    assert np.abs(np.array(place) - (100, 60, 400, 300)).max() <= 3
