from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference.images.mask import masks
from inference.images.seams import SeamMeasurement, measure_mask_border, seam_band
from tests.inference.images.samples import cat, noise, rectangle

SIZE = (451, 300)
MASK = rectangle(SIZE, (150, 90, 300, 210))


def brightened(by, blur=0):
    cover = np.asarray(masks.blur_mask(MASK, blur))[..., None] / 255
    return Image.fromarray(np.clip(np.asarray(cat()) + by * cover, 0, 255).astype(np.uint8))


def test_an_untouched_picture_has_no_visible_seam():
    assert measure_mask_border(cat(), MASK).seam_score < 0.35
    assert not measure_mask_border(cat(), MASK).is_visible


def test_a_hard_patch_is_visible():
    assert measure_mask_border(brightened(40), MASK).seam_score > 0.7
    assert measure_mask_border(brightened(40), MASK).is_visible


def test_stronger_is_worse_and_blurred_is_better():
    scores = [measure_mask_border(brightened(by), MASK).seam_score for by in (10, 25, 60)]
    assert sorted(scores) == scores
    assert (
        measure_mask_border(brightened(40, blur=12), MASK).seam_score
        < measure_mask_border(brightened(40), MASK).seam_score - 0.2
    )


def test_a_flat_step_by_its_colour_difference():
    grey = Image.new("RGB", (100, 100), (119, 119, 119))
    grey.paste((131, 131, 131), (30, 30, 70, 70))
    seam = measure_mask_border(grey, rectangle((100, 100), (30, 30, 70, 70)))
    # 119 and 131 lie 4.75 of L* apart: about HALF_SCORE, whence about one half.
    assert pytest.approx(seam.gradient, abs=0.1) == 4.75
    assert pytest.approx(seam.seam_score, abs=0.05) == 0.5


def test_texture_hides_a_step():
    busy = np.asarray(noise(100, 100)).astype(int)
    mask = rectangle((100, 100), (30, 30, 70, 70))
    busy[30:70, 30:70] += 6
    assert (
        measure_mask_border(
            Image.fromarray(np.clip(busy, 0, 255).astype(np.uint8)), mask
        ).seam_score
        < 0.5
    )


@pytest.mark.parametrize("mask", [Image.new("L", SIZE), Image.new("L", SIZE, 255)])
def test_no_border_no_seam(mask):
    assert measure_mask_border(cat(), mask) == SeamMeasurement(0.0, 0.0)
    assert measure_mask_border(cat(), mask).seam_score == 0


def test_a_faint_mask_has_no_border():
    assert measure_mask_border(cat(), Image.new("L", SIZE, 60)) == SeamMeasurement(0.0, 0.0)


def test_thin_pictures():
    strip = noise(40, 3)
    assert 0 <= measure_mask_border(strip, rectangle((40, 3), (10, 0, 20, 3))).seam_score <= 1


def test_band():
    around = np.asarray(seam_band(rectangle((60, 60), (20, 20, 40, 40)), 4)) == 255
    assert around[30, 16]
    assert around[30, 23]
    assert not around[30, 15]
    assert not around[30, 24]
    at_edge = np.asarray(seam_band(rectangle((60, 60), (0, 0, 20, 60)), 4)) == 255
    assert not at_edge[:, :16].any()
    assert at_edge[:, 16:24].all()
    assert not at_edge[:, 24:].any()
