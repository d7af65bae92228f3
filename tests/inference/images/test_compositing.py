from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.images.compositing import composite_under_mask, make_overlay, paste_back
from inference.images.mask import masks
from inference.images.regions import crop_region
from tests.inference.images.samples import noise

CASES = 200


def random_mask(rng, size):
    """Draw a few random shapes of any grey, at least one pixel of them."""
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    for _ in range(rng.integers(1, 5)):
        xs, ys = np.sort(rng.integers(0, size[0], 2)), np.sort(rng.integers(0, size[1], 2))
        box = (int(xs[0]), int(ys[0]), int(xs[1]), int(ys[1]))
        shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        shape(box, fill=int(rng.integers(1, 256)))
    mask.putpixel((size[0] // 2, size[1] // 2), 255)
    return mask


@pytest.mark.parametrize("blur", [0, 4])
def test_no_pixel_outside_the_mask_differs(blur):
    rng = np.random.default_rng(7)
    differing = 0
    for case in range(CASES):
        size = tuple(int(side) for side in rng.integers(8, 160, 2))
        source, result = noise(*size, seed=case), noise(*size, seed=case + CASES)
        blurred = masks.blur_mask(random_mask(rng, size), blur)
        out = np.asarray(composite_under_mask(result, source, masks.overlay_mask(blurred)))
        outside = np.asarray(blurred) == 0
        differing += np.count_nonzero(np.any(out != np.asarray(source), axis=-1) & outside)
    assert differing == 0


@pytest.mark.parametrize("blur", [0, 4])
def test_no_pixel_outside_the_crop_differs(blur):
    rng = np.random.default_rng(8)
    differing = 0
    for case in range(CASES):
        size = tuple(int(side) for side in rng.integers(8, 160, 2))
        source, patch = noise(*size, seed=case), noise(64, 48, seed=case + CASES)
        blurred = masks.blur_mask(random_mask(rng, size), blur)
        box = crop_region(blurred, int(rng.integers(0, 40)), patch.size)
        out = np.asarray(paste_back(patch, source, blurred, box))
        assert (size[1], size[0], 3) == out.shape
        outside = np.asarray(blurred) == 0
        differing += np.count_nonzero(np.any(out != np.asarray(source), axis=-1) & outside)
    assert differing == 0


def test_the_result_shows_in_full_under_the_mask():
    source, result = noise(20, 20, 1), noise(20, 20, 2)
    white = Image.new("L", (20, 20), 255)
    assert result.tobytes() == composite_under_mask(result, source, white).tobytes()


def test_the_patch_fills_its_box():
    source = Image.new("RGB", (100, 80), "black")
    patched = np.asarray(
        paste_back(
            Image.new("RGB", (64, 64), "white"),
            source,
            Image.new("L", (100, 80), 255),
            (10, 20, 40, 50),
        )
    )
    assert np.all(patched[20:50, 10:40] == 255)
    assert patched.sum(dtype=int) == 30 * 30 * 3 * 255


def test_source_is_not_touched():
    source = noise(20, 20)
    before = source.tobytes()
    paste_back(noise(8, 8, 3), source, Image.new("L", (20, 20), 255), (0, 0, 9, 9))
    assert source.tobytes() == before


def test_overlay_over_the_result_is_the_composite():
    source, result = noise(40, 30, 1), noise(40, 30, 2)
    mask = masks.blur_mask(random_mask(np.random.default_rng(1), (40, 30)), 3)
    laid = Image.alpha_composite(result.convert("RGBA"), make_overlay(source, mask).convert("RGBA"))
    difference = np.asarray(laid.convert("RGB")).astype(int) - np.asarray(
        composite_under_mask(result, source, mask)
    )
    assert np.abs(difference).max() <= 2
    assert make_overlay(source, mask).mode == "RGBa"


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="differ in size"):
        composite_under_mask(noise(8, 8), noise(8, 9), Image.new("L", (8, 8)))
