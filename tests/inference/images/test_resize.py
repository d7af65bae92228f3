from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.images.errors import UnsupportedImage
from inference.images.resize import (
    MAX_SURPLUS_RATIO,
    ResizeMode,
    ResizePlacement,
    crop_geometry,
    fill_geometry,
    fit_image,
    scale_to,
)

SIDES = st.integers(1, 3000)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ((800, 600), (512, 512), ResizePlacement(682, 512, -85, 0)),
        ((600, 800), (768, 512), ResizePlacement(768, 1024, 0, -256)),
        ((512, 512), (512, 512), ResizePlacement(512, 512, 0, 0)),
        ((1024, 512), (512, 256), ResizePlacement(512, 256, 0, 0)),
        ((513, 512), (511, 512), ResizePlacement(513, 512, -1, 0)),
    ],
)
def test_crop_geometry(source, target, expected):
    assert crop_geometry(*source, *target) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ((800, 600), (512, 512), ResizePlacement(512, 384, 0, 64)),
        ((600, 800), (512, 512), ResizePlacement(384, 512, 64, 0)),
        ((300, 300), (512, 512), ResizePlacement(512, 512, 0, 0)),
        ((100, 99), (512, 511), ResizePlacement(512, 506, 0, 2)),
        ((4096, 1), (8, 8), ResizePlacement(8, 1, 0, 4)),
    ],
)
def test_fill_geometry(source, target, expected):
    assert fill_geometry(*source, *target) == expected


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_crop_covers_the_target(iw, ih, w, h):
    place = crop_geometry(iw, ih, w, h)
    assert place.x <= 0
    assert place.y <= 0
    assert place.x + place.width >= w
    assert place.y + place.height >= h
    assert w == place.width or h == place.height


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_fill_stays_inside_the_target(iw, ih, w, h):
    place = fill_geometry(iw, ih, w, h)
    assert place.x >= 0
    assert place.y >= 0
    assert 1 <= place.width <= w
    assert 1 <= place.height <= h
    assert place.x + place.width <= w
    assert place.y + place.height <= h


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from(["RGB", "RGBA", "L"]),
    st.sampled_from(list(ResizeMode)[:3]),
)
def test_fit_covers_every_pixel(source, target, mode, resize_mode):
    white = Image.new(mode, source, (255,) * len(mode) if len(mode) > 1 else 255)
    fitted = fit_image(white, *target, resize_mode)
    assert target == fitted.size
    assert mode == fitted.mode
    assert np.all(np.asarray(fitted) == 255)


def test_bars_continue_the_outermost_lines():
    rng = np.random.default_rng(1)
    source = Image.fromarray(rng.integers(0, 256, (30, 91, 3), dtype=np.uint8))
    fitted = np.asarray(fit_image(source, 64, 65, ResizeMode.RESIZE_AND_FILL))
    place = fill_geometry(91, 30, 64, 65)
    assert np.all(fitted[: place.y] == fitted[place.y])
    assert np.all(fitted[place.y + place.height :] == fitted[place.y + place.height - 1])
    columns = np.asarray(
        fit_image(source.rotate(90, expand=True), 65, 64, ResizeMode.RESIZE_AND_FILL)
    )
    place = fill_geometry(30, 91, 65, 64)
    assert np.all(columns[:, : place.x] == columns[:, [place.x]])
    far = place.x + place.width
    assert np.all(columns[:, far:] == columns[:, [far - 1]])


def test_crop_takes_the_centre():
    source = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (100, 1)))
    cropped = np.asarray(fit_image(source, 100, 100, ResizeMode.CROP_AND_RESIZE))
    assert (cropped[0, 0], cropped[0, -1]) == (50, 149)


def test_a_long_strip_is_cropped_as_if_scaled_whole():
    rng = np.random.default_rng(2)
    source = Image.fromarray(rng.integers(0, 256, (4, 300, 3), dtype=np.uint8))
    place = crop_geometry(300, 4, 64, 64)
    whole = source.resize((place.width, place.height), Image.Resampling.LANCZOS)
    expected = np.asarray(whole.crop((-place.x, 0, 64 - place.x, 64))).astype(int)
    actual = np.asarray(fit_image(source, 64, 64, ResizeMode.CROP_AND_RESIZE)).astype(int)
    assert np.abs(expected - actual).max() <= 1


def test_hidden_colours_do_not_bleed():
    source = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    source.paste((0, 0, 255, 255), (10, 0, 20, 20))
    fitted = np.asarray(fit_image(source, 50, 50, ResizeMode.JUST_RESIZE))
    visible = fitted[fitted[..., 3] > 0]
    assert visible[:, 0].max() == 0


def test_upscaler_is_asked_only_to_enlarge_pictures():
    asked = []

    def upscale(image, scale):
        asked.append(scale)
        return image.resize((image.width * 4, image.height * 4))

    image = Image.new("RGB", (40, 30))
    assert fit_image(image, 64, 64, ResizeMode.CROP_AND_RESIZE, upscale).size == (64, 64)
    assert asked == [pytest.approx(64 / 30)]
    fit_image(image, 20, 20, ResizeMode.JUST_RESIZE, upscale)
    fit_image(Image.new("L", (4, 4)), 20, 20, ResizeMode.JUST_RESIZE, upscale)
    assert len(asked) == 1


def test_latent_upscale_leaves_the_picture_alone():
    image = Image.new("RGB", (40, 30), "red")
    fitted = fit_image(image, 64, 64, ResizeMode.LATENT_UPSCALE)
    assert image.size == fitted.size
    assert fitted is not image


def test_mode_names_are_those_of_the_job_options():
    expected = ["just resize", "crop and resize", "resize and fill", "latent upscale"]
    assert [str(mode) for mode in ResizeMode] == expected


def test_refusals():
    with pytest.raises(UnsupportedImage, match="mode P"):
        fit_image(Image.new("P", (4, 4)), 8, 8, ResizeMode.CROP_AND_RESIZE)
    with pytest.raises(UnsupportedImage, match="mode F"):
        scale_to(Image.new("F", (4, 4)), 8, 8)
    with pytest.raises(ValueError, match="0 × 8"):
        fit_image(Image.new("RGB", (4, 4)), 0, 8, ResizeMode.JUST_RESIZE)


def reference_placement(iw, ih, w, h, mode):
    """The formulas as they are written down, with ratios as floats."""
    s, r = iw / ih, w / h
    if mode is ResizeMode.CROP_AND_RESIZE:
        sw, sh = (w if r > s else iw * h // ih), (h if r <= s else ih * w // iw)
    else:
        sw, sh = (w if r < s else iw * h // ih), (h if r >= s else ih * w // iw)
    return sw, sh, w // 2 - sw // 2, h // 2 - sh // 2


@settings(max_examples=500, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_geometry_is_that_of_the_formulas(iw, ih, w, h):
    crop = reference_placement(iw, ih, w, h, ResizeMode.CROP_AND_RESIZE)
    assert crop_geometry(iw, ih, w, h) == crop
    fill = reference_placement(iw, ih, w, h, ResizeMode.RESIZE_AND_FILL)
    if min(fill[:2]) >= 1:  # a strip may come out less than a pixel thick; one pixel shows it
        assert fill_geometry(iw, ih, w, h) == fill


def reference_fill(image, w, h):
    """Paste the scaled picture; its outermost lines go on to the borders."""
    sw, sh, x, y = reference_placement(*image.size, w, h, ResizeMode.RESIZE_AND_FILL)
    scaled = np.asarray(image.resize((sw, sh), Image.Resampling.LANCZOS))
    rows = np.clip(np.arange(h) - y, 0, sh - 1)
    columns = np.clip(np.arange(w) - x, 0, sw - 1)
    return scaled[rows][:, columns]


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(8, 60), st.integers(8, 60)),
    st.tuples(st.integers(16, 70), st.integers(16, 70)),
    st.integers(0, 9),
)
@example((8, 37), (56, 16), 0)
@example((8, 49), (42, 16), 0)
def test_pixels_are_those_of_a_plain_reference(source, target, seed):
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (*source[::-1], 3), dtype=np.uint8))
    filled = fit_image(image, *target, ResizeMode.RESIZE_AND_FILL)
    np.testing.assert_array_equal(reference_fill(image, *target), np.asarray(filled))
    sw, sh, x, y = reference_placement(*source, *target, ResizeMode.CROP_AND_RESIZE)
    whole = np.asarray(image.resize((sw, sh), Image.Resampling.LANCZOS))
    expected = whole[-y : target[1] - y, -x : target[0] - x]
    cropped = np.asarray(fit_image(image, *target, ResizeMode.CROP_AND_RESIZE))
    if sw * sh <= MAX_SURPLUS_RATIO * target[0] * target[1]:
        np.testing.assert_array_equal(expected, cropped)
    else:  # cut out first, Pillow may turn to the other axis first, and rounds between the two
        assert np.abs(expected.astype(int) - cropped).mean() <= 3
    stretched = fit_image(image, *target, ResizeMode.JUST_RESIZE)
    expected = np.asarray(image.resize(target, Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(expected, np.asarray(stretched))
