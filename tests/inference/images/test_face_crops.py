"""Faces cut out and laid back: where the points land, what is kept, how much shows."""

import numpy as np
import pytest
from PIL import Image

from inference.images.face_crops import (
    PORTRAIT_POINTS,
    align_points,
    crop_face,
    is_restorable,
    make_edge_mask,
    paste_faces,
)
from tests.inference.operations.conftest import gradient


def placed_points(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """The points of a portrait, turned, scaled and moved."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (PORTRAIT_POINTS @ turn.T * scale + shift).astype(np.float32)


@pytest.mark.parametrize(
    ("scale", "degrees", "shift"), [(100, 0, (40, 30)), (300, 35, (200, -20)), (37, -170, (90, 80))]
)
@pytest.mark.parametrize("side", [32, 512])
def test_a_turned_and_scaled_face_comes_to_lie_as_a_portrait(scale, degrees, shift, side):
    points = placed_points(scale, degrees, shift)
    affine = align_points(points, side)
    placed = points @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(placed, PORTRAIT_POINTS * side, atol=side * 1e-4)


def test_what_is_no_turn_or_scale_is_met_as_near_as_can_be():
    points = placed_points(100, 10, (0, 0))
    points[2] += (7, -4)
    affine = align_points(points, 512)
    linear = affine[:, :2]
    assert linear[0, 0] == pytest.approx(linear[1, 1])
    assert linear[0, 1] == pytest.approx(-linear[1, 0])

    def error(moved: np.ndarray) -> float:
        placed = points @ moved[:, :2].T + moved[:, 2]
        return float(((placed - PORTRAIT_POINTS * 512) ** 2).sum())

    near = [affine + np.float64(step) for step in (np.eye(2, 3) * 1e-3, np.eye(2, 3, 2)[:, ::1])]
    assert all(error(affine) <= error(moved) for moved in near)


@pytest.mark.parametrize("scale", [40, 64, 300])
def test_a_face_laid_back_as_it_was_cut_out_changes_little_and_nothing_outside(scale):
    image = gradient(500, 480)
    points = placed_points(scale, 12, (100, 40))
    crop = crop_face(image, points, 64)
    assert crop.image.size == (64, 64)
    pasted = paste_faces(image, [crop], [crop.image], 1.0)
    difference = np.abs(np.asarray(pasted, int) - np.asarray(image, int))
    assert difference.max() <= 3
    rows, columns = np.nonzero(difference.any(axis=-1))
    corners = placed_points_of_square(scale, 12, (100, 40))
    if rows.size:
        assert columns.min() >= np.floor(corners[:, 0].min())
        assert columns.max() <= np.ceil(corners[:, 0].max())
        assert rows.min() >= np.floor(corners[:, 1].min())
        assert rows.max() <= np.ceil(corners[:, 1].max())


def placed_points_of_square(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) @ turn.T * scale + shift


def test_a_restored_face_shows_whole_in_its_middle_and_by_its_visibility():
    image = Image.new("RGB", (200, 200), (10, 20, 30))
    crop = crop_face(image, placed_points(100, 0, (50, 50)), 128)
    white = Image.new("RGB", (128, 128), "white")
    whole = paste_faces(image, [crop], [white], 1.0)
    assert whole.getpixel((100, 100)) == (255, 255, 255)
    assert whole.getpixel((48, 100)) == (10, 20, 30)
    half = paste_faces(image, [crop], [white], 0.5)
    assert half.tobytes() == Image.blend(image, whole, 0.5).tobytes()
    assert image.getpixel((100, 100)) == (10, 20, 30)


def test_the_border_of_a_face_shows_half_at_a_twentieth_of_its_side():
    mask = np.asarray(make_edge_mask(512), int)
    assert mask[0].max() == 0
    assert mask[256, 256] == 255
    assert mask[256, 24] < 128 <= mask[256, 25]
    assert mask[256, 50] == 255
    assert (mask == mask.T).all()


def test_a_face_at_the_edge_is_laid_back_within_the_picture():
    image = gradient(120, 90)
    crop = crop_face(image, placed_points(90, 0, (-40, 30)), 64)
    pasted = paste_faces(image, [crop], [Image.new("RGB", (64, 64), "white")], 1.0)
    assert pasted.size == image.size
    assert pasted.getpixel((5, 60)) == (255, 255, 255)


def test_a_face_beyond_the_picture_changes_nothing():
    image = gradient(64, 64)
    crop = crop_face(image, placed_points(30, 0, (300, 300)), 64)
    white = Image.new("RGB", (64, 64), "white")
    assert paste_faces(image, [crop], [white], 1.0).tobytes() == image.tobytes()


def test_faces_too_small_are_left_alone():
    assert is_restorable(placed_points(30, 40, (0, 0)))
    assert not is_restorable(placed_points(15, 40, (0, 0)))
