from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from inference.pictures.errors import PictureTooSmall, UnsupportedPicture
from inference.pictures.loading import load
from tests.inference.pictures.samples import DATA, noise


def encoded(picture, file_format="PNG", **options):
    out = io.BytesIO()
    picture.save(out, file_format, **options)
    return out.getvalue()


def test_a_photograph():
    picture = load((DATA / "chelsea.jpg").read_bytes())
    assert (picture.mode, picture.size, picture.info) == ("RGB", (451, 300), {})


def test_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load(encoded(noise(30, 20), "JPEG", exif=exif)).size == (20, 30)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGB"])
def test_modes(mode):
    file_format = "JPEG" if mode == "CMYK" else "PNG"
    assert load(encoded(Image.new(mode, (16, 16)), file_format)).mode == "RGB"


def test_alpha_stays_only_where_it_says_something():
    assert load(encoded(noise(16, 16, mode="RGBA"))).mode == "RGBA"
    assert load(encoded(Image.new("RGBA", (16, 16), "red"))).mode == "RGB"


def test_sixteen_bits_keep_their_brightness():
    deep = Image.fromarray(np.full((16, 16), 32896, dtype=np.uint16))
    assert load(encoded(deep)).getpixel((3, 3)) == (128, 128, 128)


def test_profiles_are_converted():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = noise(16, 16)
    same = load(encoded(plain, icc_profile=profile))
    assert np.abs(np.asarray(same).astype(int) - np.asarray(plain)).max() <= 1
    assert plain.tobytes() == load(encoded(plain, icc_profile=b"broken")).tobytes()


def test_animations_give_their_first_frame():
    data = encoded(
        Image.new("RGB", (16, 16), "red"),
        "GIF",
        save_all=True,
        append_images=[Image.new("RGB", (16, 16), "blue")],
    )
    assert load(data).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(noise(64, 64))[:200]])
def test_what_is_no_picture(data):
    with pytest.raises(UnsupportedPicture, match="send a PNG"):
        load(data)


def test_too_small():
    with pytest.raises(PictureTooSmall, match="8 × 8"):
        load(encoded(noise(7, 100)))
