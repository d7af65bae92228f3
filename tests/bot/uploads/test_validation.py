from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bot.errors import (
    BrokenImage,
    EmptyFile,
    FileTooLarge,
    ImageRejected,
    NotAnImage,
    TooManyPixels,
    UnsupportedFormat,
)
from bot.uploads.plain_images import MAX_WEBP_SIDE, is_plain_image
from bot.uploads.validation import (
    ALLOWED_FORMATS,
    FIRST_FRAME_NOTE,
    MAX_SIDE,
    CheckedImage,
    ImageLimits,
    check_image,
)
from tests.doubles.images import animation, bomb, encoded, noise, png, text_bomb

LIMITS = ImageLimits(max_bytes=4_000_000, max_pixels=1_000_000)
ORIENTATION = 0x0112


def check(data: bytes, limits: ImageLimits = LIMITS) -> CheckedImage:
    return check_image(data, "photo.png", limits)


def opened(checked: CheckedImage) -> Image.Image:
    image = Image.open(io.BytesIO(checked.data))
    image.load()
    assert image.format == "WEBP"
    assert image.size == (checked.width, checked.height)
    return image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_the_formats_are_taken(form):
    image = opened(check(encoded(Image.new("RGB", (20, 10), "red"), form)))
    red, green, blue = image.getpixel((5, 5))
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert red > 250
    assert max(green, blue) < 6


def test_no_bytes():
    with pytest.raises(EmptyFile, match="0 bytes"):
        check(b"")


def test_too_many_bytes():
    with pytest.raises(FileTooLarge, match=r"at most 3\.8.* MiB"):
        check(b"x" * 4_000_001)


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"%PDF-1.7",
        b"PK\x03\x04" + b"\0" * 60,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    ],
)
def test_other_files_are_told_by_content(data):
    with pytest.raises(NotAnImage, match="Attach a PNG, JPEG, WebP, AVIF or GIF"):
        check(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (encoded(Image.new("RGB", (4, 4)), "BMP"), "a BMP"),
        (encoded(Image.new("RGB", (4, 4)), "TIFF"), "a TIFF"),
        (b"8BPS" + b"\0" * 60, "a Photoshop file"),
        (b"\n <svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 60, "a HEIC photo"),
    ],
)
def test_pictures_in_other_formats_are_named(data, found):
    with pytest.raises(UnsupportedFormat, match=f"is {found}, .* Save it as PNG"):
        check(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_never_guessed_at(form, part):
    data = encoded(noise((64, 64)), form)
    with pytest.raises((BrokenImage, NotAnImage)):
        check(data[: int(len(data) * part)])


def test_a_truncated_photograph_says_that_it_is_damaged():
    data = encoded(noise((64, 64)), "JPEG")
    with pytest.raises(BrokenImage, match="download it again"):
        check(data[: len(data) // 2])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_give_a_picture_or_a_refusal(data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]))
    broken = bytearray(encoded(noise((24, 24)), form))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        opened(check(bytes(broken)))
    except ImageRejected as refusal:
        assert str(refusal).endswith(".")


@pytest.mark.parametrize("size", [(1001, 1000), (16000, 16000)])
def test_pixels_are_bounded_by_the_header(size):
    with pytest.raises(TooManyPixels, match="at most 1 megapixels"):
        check(bomb(*size))


def test_a_bomb_beyond_pillows_own_bound_is_refused_too():
    generous = ImageLimits(max_bytes=4_000_000, max_pixels=10**9)
    with pytest.raises(ImageRejected):
        check(bomb(60_000, 60_000), generous)


def test_a_thread_is_no_picture():
    with pytest.raises(TooManyPixels, match=f"at most {MAX_SIDE} pixels a side"):
        check(png((1, MAX_SIDE + 1)))


def test_text_that_unpacks_without_end_is_left_aside():
    assert opened(check(text_bomb(2))).size == (32, 24)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_frame_is_used_and_said(form):
    checked = check(animation(form))
    red, green, blue = opened(checked).convert("RGB").getpixel((8, 6))
    assert red > 240
    assert max(green, blue) < 16
    assert checked.notes == (FIRST_FRAME_NOTE,)


def test_cmyk():
    image = opened(check(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")))
    red, green, blue = image.getpixel((4, 4))
    assert image.mode == "RGB"
    assert red > 200
    assert max(green, blue) < 60


def test_grey_of_sixteen_bits_keeps_its_brightness():
    image = opened(check(encoded(Image.new("I;16", (8, 8), 32768))))
    assert image.mode == "RGB"
    assert abs(image.getpixel((4, 4))[0] - 128) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_other_modes_become_rgb(mode):
    assert opened(check(png(mode=mode, colour=1))).mode == "RGB"


def test_palette_with_transparency_keeps_it():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 100, 50] + [0] * 762)
    image.paste(0, (0, 0, 4, 8))
    checked = opened(check(encoded(image, transparency=0)))
    assert checked.mode == "RGBA"
    assert checked.getpixel((1, 1))[3] == 0
    assert checked.getpixel((6, 6)) == (200, 100, 50, 255)


def test_alpha_keeps_the_colours_beneath():
    data = png(colour=(10, 20, 30, 0), mode="RGBA")
    assert opened(check(data)).getpixel((0, 0)) == (10, 20, 30, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(orientation):
    upright = Image.new("RGB", (32, 16), "black")
    upright.paste((255, 0, 0), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = upright
    for operation in UNDO.get(orientation, ()):
        turned = turned.transpose(operation)
    image = opened(check(encoded(turned, "JPEG", exif=exif, quality=95, subsampling=0)))
    assert image.size == (32, 16)
    assert image.getpixel((4, 4))[0] > 200
    assert image.getpixel((24, 12))[0] < 60


UNDO = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""What a camera held that way stores: the inverse of what the tag asks a viewer to do."""


@pytest.mark.parametrize(
    ("image_format", "size"),
    [
        *((name, (8, 8)) for name in ALLOWED_FORMATS),
        ("JPEG", (MAX_WEBP_SIDE + 1, 1)),
        ("PNG", (MAX_WEBP_SIDE + 1, 1)),
    ],
)
def test_metadata_ends_here(image_format, size):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(
        Image.new("RGB", size), image_format, exif=exif, icc_profile=srgb, comment=b"at home"
    )

    stored_image = check(data)

    assert b"at home" in data
    assert is_plain_image(stored_image.data, *size)


def test_a_profile_is_converted_to_srgb():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    kept = opened(check(encoded(image, icc_profile=srgb))).getpixel((0, 0))
    assert max(abs(a - b) for a, b in zip(kept, (200, 100, 50), strict=True)) <= 1
    assert opened(check(encoded(image, icc_profile=lab))).getpixel((0, 0)) == (200, 100, 50)


def test_a_profile_with_transparency_keeps_it():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.new("RGBA", (8, 8), (200, 100, 50, 77)), icc_profile=srgb)
    assert opened(check(data)).getpixel((0, 0))[3] == 77


def test_a_broken_profile_is_left_aside():
    data = encoded(Image.new("RGB", (8, 8), (1, 2, 3)), icc_profile=b"nonsense")
    assert opened(check(data)).getpixel((0, 0)) == (1, 2, 3)


def test_a_polyglot_loses_its_other_half():
    data = png() + b"PK\x03\x04 and a whole archive"
    assert b"archive" not in check(data).data


def test_one_pixel_is_a_picture():
    assert opened(check(png((1, 1)))).size == (1, 1)
