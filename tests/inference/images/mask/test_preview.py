from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference.images.mask.masks import invert_mask
from inference.images.mask.preview import MaskProblem, draw_mask_preview, inspect_mask
from tests.inference.images.samples import cat, noise, rectangle

SIZE = (512, 512)


def problems(report):
    return [finding.problem for finding in report.warnings]


def test_blank_is_an_error():
    report = inspect_mask(Image.new("L", SIZE), SIZE)
    assert problems(report) == [MaskProblem.BLANK]
    assert report.is_error
    assert report.box is None
    assert "paint the area" in str(report.warnings[0].message)


def test_a_good_mask():
    report = inspect_mask(
        rectangle((1024, 1024), (400, 400, 501, 501)), SIZE, padding=32, only_masked=True
    )
    assert report.warnings == ()
    assert not report.is_error
    assert report.box == (368, 368, 533, 533)
    assert str(report.gain) == "3.1x"
    assert pytest.approx(report.share) == 101 * 101 / 1024**2


def test_whole_picture_works_on_all_of_it():
    report = inspect_mask(rectangle(SIZE, (100, 100, 300, 300)), (256, 256))
    assert report.box == (0, 0, 512, 512)
    assert str(report.gain) == "0.5x"


def test_nearly_full():
    report = inspect_mask(rectangle(SIZE, (0, 0, 512, 500)), SIZE)
    assert problems(report) == [MaskProblem.NEARLY_FULL]
    assert not report.is_error


def test_looks_inverted():
    report = inspect_mask(invert_mask(rectangle(SIZE, (100, 100, 300, 300))), SIZE)
    assert problems(report) == [MaskProblem.INVERTED]
    assert "not masked" in str(report.warnings[0].message)


def test_tiny():
    mask = rectangle(SIZE, (100, 100, 130, 300))
    report = inspect_mask(mask, SIZE)
    assert problems(report) == [MaskProblem.TINY]
    assert "30 × 200 pixels is too small" in str(report.warnings[0].message)
    assert "only masked" in str(report.warnings[0].message)
    closer = inspect_mask(rectangle(SIZE, (100, 100, 130, 130)), SIZE, only_masked=True)
    assert closer.warnings == ()
    padded = inspect_mask(
        rectangle(SIZE, (200, 200, 210, 210)), SIZE, padding=256, only_masked=True
    )
    assert "less padding" in str(padded.warnings[0].message)


def test_blur_widens_the_box():
    mask = rectangle(SIZE, (200, 200, 300, 300))
    sharp, soft = (inspect_mask(mask, SIZE, blur=b, only_masked=True).box for b in (0, 8))
    assert soft[0] < sharp[0]
    assert soft[2] > sharp[2]


def test_stripes_differ_in_lightness_not_only_in_hue():
    grey = Image.new("RGB", (200, 200), (128, 128, 128))
    shown = np.asarray(
        draw_mask_preview(grey, rectangle((200, 200), (40, 40, 160, 160))).convert("L")
    )
    inside = shown[60:140, 60:140].astype(int)
    assert np.ptp(np.unique(inside)) > 60
    assert np.all(shown[:30] == 128)


def test_outline_and_box_show_on_black_and_white():
    for ground in ("black", "white"):
        plain = Image.new("RGB", (200, 200), ground)
        shown = np.asarray(
            draw_mask_preview(
                plain, rectangle((200, 200), (80, 80, 120, 120)), (20, 20, 180, 180)
            ).convert("L")
        )
        assert {0, 255} <= set(shown[21, 20:180].tolist())
        assert {0, 255} <= set(shown[100, 70:90].tolist())


def test_large_pictures_are_scaled():
    shown = draw_mask_preview(
        noise(600, 300), rectangle((600, 300), (1, 1, 9, 9)), (0, 0, 600, 300), 200
    )
    assert shown.size == (200, 100)


def test_outside_the_mask_the_picture_shows():
    shown = draw_mask_preview(cat(), rectangle((451, 300), (300, 200, 400, 280)))
    assert np.array_equal(np.asarray(cat())[:190], np.asarray(shown)[:190])
