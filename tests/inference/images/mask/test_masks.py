from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from inference.images import gaussian
from inference.images.mask import masks
from inference.images.mask.masks import MaskFit
from tests.inference.images.samples import boxes, noise, rectangle


def values(mask):
    return np.asarray(mask).ravel().tolist()


def row(*greys):
    return Image.fromarray(np.array([greys], dtype=np.uint8))


def test_luminance_keeps_greys():
    assert values(masks.from_luminance(row(0, 100, 255))) == [0, 100, 255]
    colours = Image.new("RGB", (1, 1), (255, 0, 0))
    assert values(masks.from_luminance(colours)) == [76]
    hidden = Image.new("RGBA", (1, 1), (255, 255, 255, 0))
    assert values(masks.from_luminance(hidden)) == [255]


def test_transparency_is_anything_below_opaque():
    image = Image.new("RGBA", (4, 1))
    image.putalpha(row(0, 128, 254, 255))
    assert values(masks.from_transparency(image)) == [255, 255, 255, 0]
    assert values(masks.from_transparency(Image.new("RGB", (1, 1)))) == [0]
    image.putalpha(row(254, 250, 255, 252))
    assert values(masks.from_transparency(image)) == [0, 0, 0, 0]


def test_source_unites_transparency_and_paint():
    image = Image.new("RGBA", (3, 1))
    image.putalpha(row(240, 255, 255))
    assert values(masks.from_source(image)) == [255, 0, 0]
    assert values(masks.from_source(image, row(0, 128, 129))) == [255, 0, 255]


def test_union_invert_blank():
    assert values(masks.unite_masks(row(0, 9, 3), row(0, 2, 255))) == [0, 9, 255]
    assert values(masks.invert_mask(row(0, 255))) == [255, 0]
    assert masks.is_blank(row(0, 0))
    assert not masks.is_blank(row(0, 1))
    with pytest.raises(ValueError, match="united"):
        masks.unite_masks(row(0), row(0, 0))


def test_overlay_mask_doubles():
    assert values(masks.overlay_mask(row(0, 1, 127, 128, 255))) == [0, 2, 254, 255, 255]


def reference_blur(mask, sigma_x, sigma_y):
    array = np.asarray(mask).astype(float)
    for sigma, axis in ((sigma_x, 1), (sigma_y, 0)):
        if sigma:
            taps = gaussian.gaussian_kernel(sigma)
            array = np.floor(ndimage.correlate1d(array, taps, axis, mode="mirror") + 0.5)
    return array


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_blur_equals_a_plain_convolution(data, sigma_x, sigma_y, inverted):
    width, height = data.draw(st.integers(2, 120)), data.draw(st.integers(2, 120))
    mask = rectangle((width, height), data.draw(boxes(width, height)))
    mask = masks.invert_mask(mask) if inverted else mask
    actual = np.asarray(masks.blur_mask(mask, sigma_x, sigma_y)).astype(float)
    # An exact tie may round either way; nothing else may differ.
    assert np.abs(actual - reference_blur(mask, sigma_x, sigma_y)).max() <= 1
    assert np.mean(actual != reference_blur(mask, sigma_x, sigma_y)) <= 0.02 or width * height < 500


def test_blur_of_a_soft_mask_is_exact():
    mask = noise(60, 50, mode="L")
    np.testing.assert_array_equal(
        np.asarray(masks.blur_mask(mask, 3, 5)), reference_blur(mask, 3, 5)
    )


def test_blur_leaves_hard_blank_and_full_masks():
    mask = rectangle((20, 20), (5, 5, 9, 9))
    assert values(mask) == values(masks.blur_mask(mask, 0))
    for grey in (0, 255):
        flat = Image.new("L", (20, 20), grey)
        assert values(flat) == values(masks.blur_mask(flat, 4))


def test_blur_reaches_no_further_than_its_kernel():
    blurred = masks.blur_mask(rectangle((200, 200), (100, 100, 101, 140)), 4)
    left, _, right, _ = blurred.getbbox()
    assert right - left <= masks.gaussian.kernel_size(4)


@pytest.mark.parametrize("soft", [False, True])
def test_latent_mask(soft):
    mask = rectangle((64, 32), (16, 8, 40, 24))
    cells = masks.latent_mask(mask, 8, 4, soft=soft)
    assert cells.shape == (4, 8)
    assert np.float32 == cells.dtype
    assert cells.min() >= 0
    assert cells.max() <= 1
    assert bool(np.any((cells > 0) & (cells < 1))) == soft
    hard = np.rint(cells)
    assert 1 == hard[1, 2] == hard[2, 4]
    assert 0 == hard[0, 2] == hard[1, 1] == hard[1, 5] == hard[3, 3]


def test_latent_mask_rounds():
    assert masks.latent_mask(Image.new("L", (8, 8), 127), 1, 1)[0, 0] == 0
    assert masks.latent_mask(Image.new("L", (8, 8), 128), 1, 1)[0, 0] == 1


@pytest.mark.parametrize(
    ("size", "fit"),
    [((40, 20), MaskFit.SAME), ((80, 40), MaskFit.SCALED), ((20, 20), MaskFit.STRETCHED)],
)
def test_lay_over(size, fit):
    mask = rectangle((40, 20), (0, 0, 20, 20))
    fitted, how = masks.lay_over(mask, size)
    assert fit == how
    assert size == fitted.size
    assert set(values(fitted)) == {0, 255}
    assert np.mean(np.asarray(fitted) > 0) == 0.5


def test_lay_over_keeps_greys():
    fitted, _ = masks.lay_over(row(0, 100, 255), (6, 2))
    assert len(set(values(fitted))) > 2
