from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from bot.uploads.plain_images import (
    HEADER_BYTES,
    encode_plain,
    is_plain_image,
    plain_image_size,
)
from bot.uploads.validation import ImageLimits, check_image
from tests.doubles.images import encoded, noise

SAMPLES = sorted((Path(__file__).parents[3] / "bot" / "samples").glob("*.jpg"))
LIMITS = ImageLimits(max_bytes=2**20, max_pixels=2**20)
ORIENTATION = 0x0112


def reopened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photograph_is_stored_as_its_pixels_and_takes_less_than_a_png(path, turn):
    with Image.open(path) as photograph:
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        data = encoded(photograph, "JPEG", exif=exif, quality=90)
    with Image.open(io.BytesIO(data)) as photograph:
        upright = ImageOps.exif_transpose(photograph).convert("RGB")

    checked = check_image(data, "photo.jpg", LIMITS)

    assert reopened(checked.data).tobytes() == upright.tobytes()
    assert len(checked.data) < 0.8 * len(encoded(upright, "PNG", compress_level=1))
    assert len(checked.data) < 5 * len(data)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.sampled_from(["RGB", "RGBA"]),
    seed=st.binary(min_size=4, max_size=64),
)
def test_no_pixel_is_lost_not_even_where_it_is_not_seen(size, mode, seed):
    length = size[0] * size[1] * len(mode)
    image = Image.frombytes(mode, size, (seed * length)[:length])

    data = encode_plain(image.copy())

    assert reopened(data).convert(mode).tobytes() == image.tobytes()
    assert is_plain_image(data, *size)
    assert plain_image_size(data[:HEADER_BYTES]) == size


def test_what_webp_does_not_hold_becomes_a_png(monkeypatch):
    long = encode_plain(Image.new("RGB", (16384, 1)))
    assert (reopened(long).format, is_plain_image(long, 16384, 1)) == ("PNG", True)

    save = Image.Image.save

    def lack_memory(image, out, form, **options):
        if form == "WEBP":
            out.write(b"half a file")
            raise MemoryError
        save(image, out, form, **options)

    monkeypatch.setattr(Image.Image, "save", lack_memory)
    data = encode_plain(noise((8, 9)))
    assert (reopened(data).format, is_plain_image(data, 8, 9)) == ("PNG", True)


def lossy():
    return encoded(noise((8, 9)), "WEBP")


def animated():
    return encoded(
        noise((8, 9)),
        "WEBP",
        lossless=True,
        save_all=True,
        append_images=[Image.new("RGB", (8, 9))],
    )


PLAIN = encode_plain(noise((8, 9)))


@pytest.mark.parametrize(
    "data",
    [
        lossy(),
        animated(),
        b"",
        PLAIN[:-1],
        PLAIN[:20],
        PLAIN + b"PK",
        PLAIN[:4] + b"\0\0\0\0" + PLAIN[8:],
        PLAIN[:16] + b"\0\0\0\0" + PLAIN[20:],
        PLAIN[:20] + b"\0" + PLAIN[21:],
        PLAIN[:24] + b"\xff" + PLAIN[25:],
    ],
)
def test_nothing_else_is_taken_for_a_plain_picture(data):
    assert not is_plain_image(data, 8, 9)


def test_a_picture_of_another_size_is_not_the_one_that_was_named():
    assert is_plain_image(PLAIN, 8, 9)
    assert not is_plain_image(PLAIN, 9, 8)
