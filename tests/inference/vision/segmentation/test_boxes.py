from __future__ import annotations

import numpy as np
from PIL import Image

from inference.vision.segmentation.boxes import (
    crop_boxes,
    shift_boxes,
    square_boxes,
    suppress_overlaps,
)


def boxes(*rows):
    return np.float32(rows)


def test_of_boxes_that_overlap_the_best_stays():
    many = boxes((0, 0, 9, 9, 0.7), (1, 1, 10, 10, 0.9), (50, 50, 59, 59, 0.6))
    assert suppress_overlaps(many, 0.5).tolist() == [1, 2]


def test_a_box_within_another_counts_by_the_smaller():
    many = boxes((0, 0, 99, 99, 0.9), (10, 10, 29, 29, 0.8))
    assert suppress_overlaps(many, 0.7).tolist() == [0, 1]
    assert suppress_overlaps(many, 0.7, of_smaller=True).tolist() == [0]


def test_no_boxes_stay_none():
    assert suppress_overlaps(np.zeros((0, 5), np.float32), 0.5).tolist() == []


def test_edges_move_by_shares_of_width_and_height():
    (row,) = shift_boxes(boxes((0, 0, 9, 19, 0.5)), boxes((0.1, 0.1, -0.1, 0.5)))
    np.testing.assert_allclose(row, (1, 2, 8, 29, 0.5), rtol=1e-6)


def test_squares_keep_the_middle():
    (row,) = square_boxes(boxes((0, 0, 10, 20, 0.5)))
    assert row.tolist() == [-5, 0, 15, 20, 0.5]


def test_what_lies_beyond_the_picture_is_black():
    image = Image.new("RGB", (10, 10), "white")
    (cut,) = crop_boxes(image, boxes((-10, 0, 10, 10, 1)), 4)
    assert cut[:, :2].max() == 0
    assert cut[:, 2:].min() == 255
