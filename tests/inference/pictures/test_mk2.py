from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.jobs.canvases import Amounts
from inference.pictures import mk2
from inference.pictures.mk2 import Side, finish, passes, prepare
from inference.pictures.outpaint import canvas
from tests.inference.pictures.samples import cat, noise

JOB = (512, 512)


def test_sides_come_in_order_on_a_growing_picture():
    grown = canvas(512, 512, Amounts(128, 128, 128, 128))
    steps = passes((512, 512), grown, JOB, 8)
    assert [step.side for step in steps] == [Side.LEFT, Side.RIGHT, Side.UP, Side.DOWN]
    assert [step.after for step in steps] == [(640, 512), (768, 512), (768, 640), (768, 768)]
    assert [step.crop for step in steps[:2]] == [(0, 0, 512, 512), (256, 0, 768, 512)]
    assert [step.crop for step in steps[2:]] == [(0, 0, 768, 512), (0, 256, 768, 768)]
    assert [(s.blur_x, s.blur_y) for s in steps] == [(32, 0), (32, 0), (0, 32), (0, 32)]


def test_insets():
    steps = passes((512, 512), canvas(512, 512, Amounts(128, 128)), JOB, 8)
    assert steps[0].kept == (136, 0, 640, 512)
    assert steps[0].latent_kept == (144, 0, 640, 512)
    assert steps[1].kept == (0, 0, 632, 512)
    assert steps[1].latent_kept == (0, 0, 624, 512)


@pytest.mark.parametrize("amounts", [Amounts(right=100, left=30), Amounts(down=100, up=30)])
def test_no_unpainted_strip_at_the_far_edge(amounts):
    # The rounded canvas ends beyond the new area: the mask must begin at the picture all the same.
    for step in passes((500, 500), canvas(500, 500, amounts), JOB, 0):
        white = np.asarray(mk2.mask(step.canvas, step.kept)) == 255
        old = np.zeros_like(white)
        x, y = step.origin
        old[y : y + step.before[1], x : x + step.before[0]] = True
        assert np.array_equal(~old, white)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(8, 900),
    st.integers(8, 900),
    st.lists(st.integers(0, 512), min_size=4, max_size=4).filter(any),
    st.integers(0, 64),
)
def test_any_passes(width, height, sides, blur):
    grown = canvas(width, height, Amounts(*sides))
    steps = passes((width, height), grown, JOB, blur)
    assert grown.result_box((width, height))[2:] == steps[-1].after
    for step in steps:
        left, upper, right, lower = step.crop
        assert 0 <= left < right <= step.canvas[0]
        assert 0 <= upper < lower <= step.canvas[1]
        assert 0 == (right - left) % 64 == (lower - upper) % 64
        along = right - left if step.side.horizontal else lower - upper
        assert along <= 512
        # The crop lies against the growing side.
        assert step.crop[:2] == (0, 0) if step.side.near else step.crop[2:] == step.canvas


def test_prepare_and_finish():
    picture = cat().crop((100, 40, 300, 190))
    (step,) = passes(picture.size, canvas(*picture.size, Amounts(right=64)), JOB, 4)
    begun = prepare(picture, step)
    assert step.canvas == begun.size
    left, upper, right, lower = step.kept
    kept = np.asarray(begun)[upper:lower, left:right]
    assert np.array_equal(np.asarray(picture)[:, : right - left], kept)
    assert np.asarray(begun)[:, right:].std() > 10
    done = finish(begun, begun.crop(step.crop), step)
    assert step.after == done.size
    assert begun.crop((0, 0, *step.after)).tobytes() == done.tobytes()


def test_a_side_that_grows_far_takes_several_passes():
    grown = canvas(512, 512, Amounts(left=512, down=256))
    steps = passes((512, 512), grown, JOB, 0)
    assert [Side.LEFT, Side.LEFT, Side.DOWN] == [step.side for step in steps]
    expected = [(768, 512), (1024, 512), (1024, 768)]
    assert expected == [step.after for step in steps]
    for step in steps:
        white = mk2.mask(step.canvas, step.kept).crop(step.crop)
        assert np.mean(np.asarray(white) == 0) >= 0.5


def test_patch_lands_in_its_crop():
    (step,) = passes((300, 100), canvas(300, 100, Amounts(left=84)), (256, 256), 0)
    patch = noise(step.crop[2] - step.crop[0], step.crop[3] - step.crop[1], seed=5)
    done = finish(noise(*step.canvas), patch, step)
    assert patch.crop((0, 0, 256, 100)).tobytes() == done.crop((0, 0, 256, 100)).tobytes()


def test_a_mask_with_nothing_kept_is_white():
    assert mk2.mask((64, 64), (70, 0, 40, 64)).getextrema() == (255, 255)
