"""A copy to show fits, loses as little as it must, and says what it lost."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops

from inference.images import metadata
from inference.worker import display_copy as module
from inference.worker.display_copy import encode_display_copy, estimate_lossless_bytes
from tests.doubles.images import noise

GRADIENT = Image.merge("RGB", [Image.radial_gradient("L")] * 3)


def opened(copy):
    image = Image.open(io.BytesIO(copy.data))
    image.load()
    return image


@pytest.fixture
def lossless_sizes(monkeypatch):
    """The sizes that were encoded without loss."""
    sizes = []
    encode_image = module.encode_image

    def note_size(image, *arguments, lossless=False, **options):
        if lossless:
            sizes.append(image.size)
        return encode_image(image, *arguments, lossless=lossless, **options)

    monkeypatch.setattr(module, "encode_image", note_size)
    return sizes


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 90), st.sampled_from(["RGB", "RGBA", "L"]))
def test_a_copy_fits_and_tells_its_size_and_quality(percent, mode):
    image = noise((96, 64)).convert(mode)
    limit = max(1500, 96 * 64 * 3 * percent // 100)

    copy = encode_display_copy(image, limit)

    assert len(copy.data) <= limit
    shown = opened(copy)
    assert shown.size == copy.size
    if not copy.quality:
        assert ImageChops.difference(image.convert("RGB"), shown.convert("RGB")).getbbox() is None


def test_what_fits_without_loss_loses_nothing(lossless_sizes):
    image = GRADIENT.resize((1000, 900), Image.Resampling.NEAREST)

    copy = encode_display_copy(image, 150_000)

    assert (copy.quality, copy.size, copy.media_type) == (0, image.size, "image/webp")
    assert ImageChops.difference(image, opened(copy)).getbbox() is None
    assert lossless_sizes == [(768, 768), image.size]


def test_what_would_not_fit_is_not_encoded_without_loss(lossless_sizes):
    image = noise((1000, 900))

    copy = encode_display_copy(image, 2_000_000)

    assert copy.quality > 0
    assert lossless_sizes == [(768, 768)]


@pytest.mark.parametrize("blur", [1, 4])
def test_a_sample_tells_what_the_whole_comes_to(blur):
    small = noise((1600 // blur, 1200 // blur))
    image = small.resize((1600, 1200), Image.Resampling.BICUBIC)

    estimate = estimate_lossless_bytes(image)

    whole = len(metadata.encode_image(image, "webp", lossless=True, effort=2))
    assert 0.9 < estimate / whole < 1.15


def test_parameters_go_along_and_too_long_ones_stay_in_the_png():
    short, long = (encode_display_copy(noise((64, 64)), 9000, text) for text in ("a", "a" * 40_000))

    tags = [opened(copy).getexif().get_ifd(ExifTags.IFD.Exif) for copy in (short, long)]
    assert tags[0][ExifTags.Base.UserComment].endswith("a".encode("utf-16-be"))
    assert tags[1] == {}


def test_sides_beyond_webp_become_jpeg(monkeypatch):
    monkeypatch.setitem(module.MAX_SIDE_BY_FORMAT, "webp", 50)

    copy = encode_display_copy(noise((60, 40)).convert("RGBA"), 6000)

    assert (copy.media_type, opened(copy).format) == ("image/jpeg", "JPEG")


def test_where_nothing_fits_there_is_none():
    assert encode_display_copy(noise((64, 64)), 10) is None
