from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.api.prompts.mask_grammar import GRID_CELLS
from inference.images.mask import grid_overlay


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 1500), height=st.integers(1, 1500))
def test_any_picture_keeps_its_ratio_and_the_bound(width, height):
    drawn = grid_overlay.draw_lettered_grid(Image.new("RGB", (width, height), "grey"))

    assert max(drawn.size) <= 1024
    scale = max(drawn.size) / max(width, height)
    assert abs(drawn.width - width * scale) <= 1
    assert abs(drawn.height - height * scale) <= 1


def test_every_cell_has_a_name_in_its_middle_and_no_other_ink():
    drawn = np.asarray(grid_overlay.draw_lettered_grid(Image.new("RGB", (500, 500), (90, 90, 90))))
    changed = (drawn != 90).any(axis=-1)

    for row in range(GRID_CELLS):
        for column in range(GRID_CELLS):
            cell = changed[row * 100 + 3 : row * 100 + 98, column * 100 + 3 : column * 100 + 98]
            assert cell[30:65, 25:70].any()
            assert not cell[:25].any()
            assert not cell[70:].any()


def test_names_show_on_white_and_on_black():
    for ground in ("white", "black"):
        drawn = np.asarray(
            grid_overlay.draw_lettered_grid(Image.new("RGB", (400, 300), ground)), dtype=int
        )
        assert drawn.max() - drawn.min() == 255
