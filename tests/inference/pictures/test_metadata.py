from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from inference.pictures.errors import TextTooLong, UnsupportedPicture
from inference.pictures.metadata import EXIF_IFD, USER_COMMENT, read_infotext, save, save_png

TEXT = "zażółć gęślą, ねこ 🐈\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 7"
GPS_IFD = 0x8825


def noisy(mode="RGB", size=(24, 16)):
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], len(mode)), np.uint8))


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "gif"])
@pytest.mark.parametrize("text", [TEXT, "plain ascii"])
def test_text_survives(file_format, text):
    assert text == read_infotext(save(noisy(), file_format, text))


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "gif"])
def test_no_text(file_format):
    assert read_infotext(save(noisy(), file_format)) is None


def test_pixels_survive():
    for mode in ("RGB", "RGBA"):
        picture = noisy(mode)
        back = Image.open(io.BytesIO(save_png(picture, TEXT)))
        assert picture.tobytes() == back.convert(mode).tobytes()
    lossless = Image.open(io.BytesIO(save(noisy(), "webp", TEXT, lossless=True)))
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
    data = save(opened, file_format, TEXT)
    assert b"Secret" not in data
    back = Image.open(io.BytesIO(data))
    assert dict(back.getexif().get_ifd(GPS_IFD)) == {}
    assert "icc_profile" not in back.info
    assert back.info.get("dpi") != (300, 300)


def test_jpeg_has_no_alpha():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    back = Image.open(io.BytesIO(save(clear, "jpeg")))
    assert back.getpixel((4, 4)) == (255, 255, 255)


def test_palette_and_grey():
    assert Image.open(io.BytesIO(save(Image.new("P", (8, 8)), "png"))).size == (8, 8)
    assert Image.open(io.BytesIO(save(Image.new("L", (8, 8)), "png"))).mode == "L"


@pytest.mark.parametrize("file_format", ["jpeg", "webp", "gif"])
def test_too_long(file_format):
    with pytest.raises(TextTooLong):
        save(noisy(), file_format, "x" * 70_000)
    assert read_infotext(save_png(noisy(), "x" * 70_000)) == "x" * 70_000


def test_too_large_or_unknown():
    with pytest.raises(UnsupportedPicture, match="16383"):
        save(Image.new("L", (16_384, 1)), "webp")
    with pytest.raises(UnsupportedPicture, match="tiff"):
        save(noisy(), "tiff")


def test_lone_surrogates_and_zeros_do_not_stop_a_file():
    assert read_infotext(save_png(noisy(), "a\ud800\0b")) == "a?b"


def jpeg_with_comment(comment, endian=">"):
    exif = Image.Exif()
    exif.endian = endian
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = comment
    out = io.BytesIO()
    noisy().save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "Füße".encode("utf-16-le"),
        b"UNICODE\0" + "Füße".encode("utf-16"),
        b"UNICODE\0" + "Füße".encode("utf-16-be"),
        b"ASCII\0\0\0" + "Füße".encode(),
        b"\0" * 8 + "Füße".encode(),
        "Füße".encode(),
    ],
)
def test_other_writers_comments(comment):
    assert read_infotext(jpeg_with_comment(comment)) == "Füße"
    assert read_infotext(jpeg_with_comment(comment, "<")) == "Füße"


def test_comment_as_plain_exif_text():
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = "plain words"
    out = io.BytesIO()
    noisy().save(out, "JPEG", exif=exif)
    assert read_infotext(out.getvalue()) == "plain words"


def test_text_behind_the_pixels():
    data = save_png(noisy())
    body = b"tEXt" + b"parameters\0late text"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    assert read_infotext(data[:-12] + chunk + data[-12:]) == "late text"


def test_postprocessing_chunk():
    info = PngImagePlugin.PngInfo()
    info.add_text("extras", "Postprocess upscale by: 2")
    out = io.BytesIO()
    noisy().save(out, "PNG", pnginfo=info)
    assert read_infotext(out.getvalue()) == "Postprocess upscale by: 2"


@pytest.mark.parametrize("data", [b"", b"nothing", save_png(noisy(), TEXT)[:30]])
def test_broken_files_have_no_text(data):
    assert read_infotext(data) is None


def test_huge_picture_headers_have_no_text():
    data = bytearray(save_png(noisy(), TEXT))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    assert read_infotext(bytes(data)) is None
