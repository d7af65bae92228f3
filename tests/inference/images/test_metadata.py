from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from inference.images.errors import TextTooLong, UnsupportedImage
from inference.images.metadata import encode_image, encode_png
from tests.doubles.infotext import read_infotext

TEXT = "zażółć gęślą, ねこ 🐈\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 7"
GPS_IFD = 0x8825


def noisy(mode="RGB", size=(24, 16)):
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], len(mode)), np.uint8))


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "gif"])
@pytest.mark.parametrize("text", [TEXT, "plain ascii"])
def test_text_survives(file_format, text):
    assert read_infotext(encode_image(noisy(), file_format, text)) == text


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "gif"])
def test_no_text(file_format):
    assert read_infotext(encode_image(noisy(), file_format)) is None


def test_pixels_survive():
    for mode in ("RGB", "RGBA"):
        image = noisy(mode)
        back = Image.open(io.BytesIO(encode_png(image, TEXT)))
        assert image.tobytes() == back.convert(mode).tobytes()
    lossless = Image.open(io.BytesIO(encode_image(noisy(), "webp", TEXT, lossless=True)))
    assert noisy().tobytes() == lossless.convert("RGB").tobytes()


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "gif"])
def test_nothing_else_goes_along(file_format):
    source = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(GPS_IFD)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noisy().save(source, "JPEG", exif=exif, icc_profile=profile, comment=b"Secret note")
    opened = Image.open(source)
    opened.info["dpi"] = (300, 300)
    data = encode_image(opened, file_format, TEXT)
    assert b"Secret" not in data
    back = Image.open(io.BytesIO(data))
    assert dict(back.getexif().get_ifd(GPS_IFD)) == {}
    assert "icc_profile" not in back.info
    assert back.info.get("dpi") != (300, 300)


def test_jpeg_has_no_alpha():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    back = Image.open(io.BytesIO(encode_image(clear, "jpeg")))
    assert back.getpixel((4, 4)) == (255, 255, 255)


def test_palette_and_grey():
    assert Image.open(io.BytesIO(encode_image(Image.new("P", (8, 8)), "png"))).size == (8, 8)
    assert Image.open(io.BytesIO(encode_image(Image.new("L", (8, 8)), "png"))).mode == "L"


@pytest.mark.parametrize("file_format", ["jpeg", "webp", "gif"])
def test_too_long(file_format):
    with pytest.raises(TextTooLong):
        encode_image(noisy(), file_format, "x" * 70_000)
    assert read_infotext(encode_png(noisy(), "x" * 70_000)) == "x" * 70_000


def test_too_large_or_unknown():
    with pytest.raises(UnsupportedImage, match="16383"):
        encode_image(Image.new("L", (16_384, 1)), "webp")
    with pytest.raises(UnsupportedImage, match="tiff"):
        encode_image(noisy(), "tiff")


def test_lone_surrogates_and_zeros_do_not_stop_a_file():
    assert read_infotext(encode_png(noisy(), "a\ud800\0b")) == "a?b"
