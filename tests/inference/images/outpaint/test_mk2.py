from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.jobs.sizes import Margins
from inference.images.outpaint import mk2
from inference.images.outpaint.canvas import grow_canvas
from inference.images.outpaint.mk2 import (
    OutpaintEdge,
    paste_pass_result,
    plan_passes,
    prepare_pass_canvas,
)
from tests.inference.images.samples import cat, noise

JOB = (512, 512)


def test_sides_come_in_order_on_a_growing_picture():
    grown = grow_canvas(512, 512, Margins(128, 128, 128, 128))
    steps = plan_passes((512, 512), grown, JOB, 8)
    assert [step.edge for step in steps] == [
        OutpaintEdge.LEFT,
        OutpaintEdge.RIGHT,
        OutpaintEdge.UP,
        OutpaintEdge.DOWN,
    ]
    assert [step.size_after for step in steps] == [(640, 512), (768, 512), (768, 640), (768, 768)]
    assert [step.crop for step in steps[:2]] == [(0, 0, 512, 512), (256, 0, 768, 512)]
    assert [step.crop for step in steps[2:]] == [(0, 0, 768, 512), (0, 256, 768, 768)]
    assert [(s.blur_x, s.blur_y) for s in steps] == [(32, 0), (32, 0), (0, 32), (0, 32)]


def test_insets():
    steps = plan_passes((512, 512), grow_canvas(512, 512, Margins(128, 128)), JOB, 8)
    assert steps[0].kept_box == (136, 0, 640, 512)
    assert steps[0].latent_kept_box == (144, 0, 640, 512)
    assert steps[1].kept_box == (0, 0, 632, 512)
    assert steps[1].latent_kept_box == (0, 0, 624, 512)


@pytest.mark.parametrize("amounts", [Margins(right=100, left=30), Margins(down=100, up=30)])
def test_no_unpainted_strip_at_the_far_edge(amounts):
    # The rounded canvas ends beyond the new area: the mask must begin at the picture all the same.
    for step in plan_passes((500, 500), grow_canvas(500, 500, amounts), JOB, 0):
        white = np.asarray(mk2.kept_box_mask(step.canvas, step.kept_box)) == 255
        old = np.zeros_like(white)
        x, y = step.origin
        old[y : y + step.size_before[1], x : x + step.size_before[0]] = True
        assert np.array_equal(~old, white)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(8, 900),
    st.integers(8, 900),
    st.lists(st.integers(0, 512), min_size=4, max_size=4).filter(any),
    st.integers(0, 64),
)
def test_any_passes(width, height, sides, blur):
    grown = grow_canvas(width, height, Margins(*sides))
    steps = plan_passes((width, height), grown, JOB, blur)
    assert grown.result_box((width, height))[2:] == steps[-1].size_after
    for step in steps:
        left, upper, right, lower = step.crop
        assert 0 <= left < right <= step.canvas[0]
        assert 0 <= upper < lower <= step.canvas[1]
        assert 0 == (right - left) % 64 == (lower - upper) % 64
        along = right - left if step.edge.is_horizontal else lower - upper
        assert along <= 512
        assert covers(step.crop, new_area(step))
        seen, added = seen_of_picture(step)
        assert seen >= min(added, step.size_after[0 if step.edge.is_horizontal else 1] - added)


def covers(box, inner):
    return box[0] <= inner[0] and box[1] <= inner[1] and box[2] >= inner[2] and box[3] >= inner[3]


def new_area(step):
    """Return the box that a pass adds."""
    x, y = step.origin
    width, height = step.size_after
    return {
        OutpaintEdge.LEFT: (0, 0, x, height),
        OutpaintEdge.RIGHT: (step.size_before[0], 0, width, height),
        OutpaintEdge.UP: (0, 0, width, y),
        OutpaintEdge.DOWN: (0, step.size_before[1], width, height),
    }[step.edge]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(8, 900),
    st.integers(64, 600),
    st.integers(1, 512),
    st.sampled_from([128, 256, 512, 1024]),
    st.integers(0, 32),
)
def test_opposite_sides_see_alike(along, across, amount, tile, blur):
    for before, after, size in (
        ("left", "right", (along, across)),
        ("up", "down", (across, along)),
    ):
        passes = [
            plan_passes(size, grow_canvas(*size, Margins(**{side: amount})), (tile, tile), blur)
            for side in (before, after)
        ]
        assert [seen_of_picture(step) for step in passes[0]] == [
            seen_of_picture(step) for step in passes[1]
        ]


def seen_of_picture(step):
    """Return how many pixels a pass sees of its picture, and how many it adds."""
    axis = 0 if step.edge.is_horizontal else 1
    old_end = step.origin[axis] + step.size_before[axis]
    seen = min(step.crop[axis + 2], old_end) - max(step.crop[axis], step.origin[axis])
    return seen, step.size_after[axis] - step.size_before[axis]


def test_prepare_and_finish():
    image = cat().crop((100, 40, 300, 190))
    (step,) = plan_passes(image.size, grow_canvas(*image.size, Margins(right=64)), JOB, 4)
    begun = prepare_pass_canvas(image, step)
    assert step.canvas == begun.size
    left, upper, right, lower = step.kept_box
    kept = np.asarray(begun)[upper:lower, left:right]
    assert np.array_equal(np.asarray(image)[:, : right - left], kept)
    assert np.asarray(begun)[:, right:].std() > 10
    done = paste_pass_result(begun, begun.crop(step.crop), step)
    assert step.size_after == done.size
    assert begun.crop((0, 0, *step.size_after)).tobytes() == done.tobytes()


def test_a_side_that_grows_far_takes_several_passes():
    grown = grow_canvas(512, 512, Margins(left=512, down=256))
    steps = plan_passes((512, 512), grown, JOB, 0)
    assert [step.edge for step in steps] == [
        OutpaintEdge.LEFT,
        OutpaintEdge.LEFT,
        OutpaintEdge.DOWN,
    ]
    expected = [(768, 512), (1024, 512), (1024, 768)]
    assert [step.size_after for step in steps] == expected
    for step in steps:
        white = mk2.kept_box_mask(step.canvas, step.kept_box).crop(step.crop)
        assert np.mean(np.asarray(white) == 0) >= 0.5


def test_patch_lands_in_its_crop():
    (step,) = plan_passes((300, 100), grow_canvas(300, 100, Margins(left=84)), (256, 256), 0)
    patch = noise(step.crop[2] - step.crop[0], step.crop[3] - step.crop[1], seed=5)
    done = paste_pass_result(noise(*step.canvas), patch, step)
    assert patch.crop((0, 0, 256, 100)).tobytes() == done.crop((0, 0, 256, 100)).tobytes()


def test_a_mask_with_nothing_kept_is_white():
    assert mk2.kept_box_mask((64, 64), (70, 0, 40, 64)).getextrema() == (255, 255)
