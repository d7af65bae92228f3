from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.api.jobs.sizes import Margins
from inference.images.mask import fill, masks
from inference.images.outpaint.canvas import grow_canvas
from inference.images.outpaint.poor_mans import (
    finish_tiled_outpaint,
    inset_box,
    kept_rectangle,
    plan_tiled_outpaint,
)
from tests.inference.images.samples import cat, noise

EVERY_SIDE = Margins(128, 128, 128, 128)


def test_masks_of_a_square():
    grown = grow_canvas(512, 512, EVERY_SIDE)
    image = noise(512, 512)
    made = plan_tiled_outpaint(image, grown, (512, 512), 128, 8)
    assert masks.invert_mask(made.mask).getbbox() == (144, 144, 624, 624)
    assert masks.invert_mask(made.latent_mask).getbbox() == (132, 132, 636, 636)
    assert made.mask_blur == 16
    assert (made.grid.xs, made.grid.ys) == ((0, 256), (0, 256))
    assert made.active == (0, 1, 2, 3)


def test_black_reaches_the_border_on_sides_that_do_not_grow():
    grown = grow_canvas(512, 512, Margins(right=128))
    kept = kept_rectangle(grown, (512, 512), 16)
    assert masks.invert_mask(kept).getbbox() == (0, 0, 496, 512)


def test_the_surplus_of_rounding_is_repainted():
    grown = grow_canvas(512, 500, Margins(left=64))
    assert inset_box(grown, (512, 500), 8) == (72, 0, 576, 492)
    assert kept_rectangle(grown, (512, 500), 8).getpixel((300, 505)) == 255


def test_without_blur_every_new_line_is_white():
    grown = grow_canvas(300, 200, Margins(40, 50, 60, 70))
    kept = np.asarray(kept_rectangle(grown, (300, 200), 0))
    expected = np.full(kept.shape, 255)
    left, upper, right, lower = grown.source_box((300, 200))
    expected[upper:lower, left:right] = 0
    assert np.array_equal(expected, kept)


def test_an_inset_beyond_the_source_leaves_nothing():
    grown = grow_canvas(16, 16, EVERY_SIDE)
    assert kept_rectangle(grown, (16, 16), 32).getextrema() == (255, 255)


def test_tiles_inside_the_old_picture_are_skipped():
    grown = grow_canvas(1024, 512, Margins(right=256))
    made = plan_tiled_outpaint(noise(1024, 512), grown, (512, 512), 64, 0)
    inside = [i for i, box in enumerate(made.grid.tile_boxes) if box[2] <= 1024]
    assert inside
    assert set(range(len(made.grid))) - set(inside) == set(made.active)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(20, 150),
    st.integers(20, 150),
    st.lists(st.integers(0, 70), min_size=4, max_size=4).filter(any),
    st.integers(0, 6),
)
def test_source_comes_back_outside_the_blurred_border(width, height, sides, blur):
    image = noise(width, height)
    grown = grow_canvas(width, height, Margins(*sides))
    made = plan_tiled_outpaint(image, grown, (128, 128), 32, blur)
    painted = {index: Image.new("RGB", (128, 128), "red") for index in made.active}
    painted = {
        index: tile.resize((made.grid.tile_width, made.grid.tile_height))
        for index, tile in painted.items()
    }
    out = finish_tiled_outpaint(made, painted, image.size)
    assert grown.result_box(image.size)[2:] == out.size
    kept = np.asarray(masks.blur_mask(made.mask, made.mask_blur).crop(grown.source_box(image.size)))
    back = np.asarray(out.crop(grown.source_box(image.size)))
    assert np.array_equal(np.asarray(image)[kept == 0], back[kept == 0])
    right, lower = grown.source_box(image.size)[2:]
    new = np.ones((out.height, out.width), dtype=bool)
    new[grown.up : lower, grown.left : right] = False
    assert np.all(np.asarray(out)[new] == [255, 0, 0])


def test_the_canvas_black_is_no_colour_of_the_picture():
    image = cat()
    made = plan_tiled_outpaint(image, grow_canvas(*image.size, EVERY_SIDE), (512, 512), 128, 8)
    filled = np.asarray(fill.fill_masked(made.image, made.hole)).astype(int)
    source = np.asarray(image).astype(int)
    assert filled[:, :100].mean() == pytest.approx(source.mean(), abs=35)
    left, upper, right, _ = made.canvas.source_box(image.size)
    just_outside = filled[upper - 10, left:right].mean()
    assert just_outside > 0.75 * source[:20].mean()


def test_a_wide_overlap_counts_as_half_a_tile():
    grown = grow_canvas(512, 512, Margins(512, 512, 512, 512))
    made = plan_tiled_outpaint(noise(512, 512), grown, (512, 512), 512, 0)
    assert (made.grid.xs, made.grid.ys) == ((0, 256, 512, 768, 1024),) * 2
