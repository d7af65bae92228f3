from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops

from bot.delivery import compression
from bot.delivery.compression import CompressedFile, compress_to_limit
from tests.doubles.images import encoded, noise

INFOTEXT = "a red apple\nSteps: 20, Seed: 5"


def opened(packed: CompressedFile) -> Image.Image:
    image = Image.open(io.BytesIO(packed.data))
    image.load()
    return image


def test_what_fits_is_sent_as_it_is():
    png = encoded(noise((32, 32)))
    assert compress_to_limit(png, len(png)) == CompressedFile(png, "png")


def test_the_first_rung_loses_nothing_and_says_nothing():
    gradient = Image.merge("RGB", [Image.linear_gradient("L")] * 3)
    png = encoded(gradient, compress_level=0)
    packed = compress_to_limit(png, len(png) - 1, INFOTEXT)
    assert (packed.suffix, packed.note) == ("webp", None)
    assert ImageChops.difference(gradient, opened(packed)).getbbox() is None


def test_parameters_are_kept_outside_png():
    png = encoded(noise((64, 64)))
    packed = compress_to_limit(png, len(png) // 2, INFOTEXT)
    comment = opened(packed).getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert compression.UNICODE_MARK + INFOTEXT.encode("utf-16-be") == comment


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60))
def test_it_fits_and_says_what_was_dropped(percent):
    png = encoded(noise((96, 64)))
    limit = max(1500, len(png) * percent // 100)
    packed = compress_to_limit(png, limit)
    assert len(packed.data) <= limit
    assert str(packed.note).startswith("Too large for this channel as it is: shown as ")


def test_the_last_rung_halves_the_size():
    packed = compress_to_limit(encoded(noise((256, 256))), 6000)
    assert max(opened(packed).size) < 256
    assert f"{opened(packed).width} × {opened(packed).height}" in str(packed.note)


def test_sides_beyond_webp_become_jpeg(monkeypatch):
    monkeypatch.setattr(compression, "WEBP_SIDE", 50)
    packed = compress_to_limit(encoded(noise((60, 40))), 4000)
    assert (packed.suffix, opened(packed).format) == ("jpg", "JPEG")


def test_transparency_survives():
    image = noise((64, 64))
    image.putalpha(Image.linear_gradient("L").resize((64, 64)))
    png = encoded(image)
    assert opened(compress_to_limit(png, len(png) * 2 // 3)).mode == "RGBA"


@pytest.mark.parametrize("limit", [1, 10])
def test_the_impossible_gives_the_smallest(limit):
    packed = compress_to_limit(encoded(noise((64, 64))), limit)
    assert max(opened(packed).size) == 64 >> compression.MAX_HALVINGS
