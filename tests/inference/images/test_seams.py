from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from inference.images import seams
from inference.images.colour.lab import to_lab
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


def test_blocks_together_are_the_whole_picture():
    """What is measured block by block is what the plain way measures over the whole picture."""
    generator = np.random.default_rng(5)
    coarse = Image.fromarray(generator.integers(0, 256, (20, 25, 3), dtype=np.uint8))
    image = coarse.resize((403, 317), Image.Resampling.BICUBIC)
    for box in ((0, 0, 150, 317), (37, 41, 391, 300), (200, 3, 207, 9), (126, 126, 130, 130)):
        mask = Image.new("L", image.size)
        mask.paste(255, box)
        seam = seams.measure_mask_border(image, mask)

        inside = np.asarray(mask) >= 128
        lab = to_lab(np.asarray(image, np.float32) / 255)
        padded = np.pad(lab, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        smooth = np.mean(
            [padded[y : y + 317, x : x + 403] for y in range(5) for x in range(5)], axis=0
        )
        assert seam.gradient == pytest.approx(plain_excess(lab, inside, 1), abs=0.01)
        assert seam.step == pytest.approx(plain_excess(smooth, inside, 5), abs=0.01)


def plain_excess(values, inside, distance):
    near = dilate(inside) & dilate(~inside)
    crossing, beside = [], []
    for axis in (0, 1):
        length = inside.shape[axis] - distance
        first, second = (
            [np.take(a, np.arange(b, b + length), axis) for a in (values, inside, near)]
            for b in (0, distance)
        )
        steps = np.linalg.norm(second[0] - first[0], axis=-1)
        is_crossing = first[1] != second[1]
        crossing.append(steps[is_crossing])
        beside.append(steps[~is_crossing & first[2] & second[2]])
    return max(0.0, np.concatenate(crossing).mean() - np.concatenate(beside).mean())


def dilate(marked):
    result = np.zeros_like(marked)
    for y, x in np.argwhere(marked & ~(ndimage.uniform_filter(marked.astype(float), 3) > 0.999)):
        result[max(0, y - 16) : y + 17, max(0, x - 16) : x + 17] = True
    return result | marked
