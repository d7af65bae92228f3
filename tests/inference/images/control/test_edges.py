"""Maps that are made of pictures for ControlNets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.images.control.edges import draw_lines, find_edges

SAMPLES = ("bot/samples/chelsea.jpg", "bot/samples/red-apple.png")


def levels(image):
    assert image.mode == "RGB"
    return np.asarray(image)[..., 0]


@pytest.mark.parametrize("name", SAMPLES)
def test_edges_are_those_of_opencv(name):
    cv2 = pytest.importorskip("cv2")
    image = Image.open(name).convert("RGB")
    assert np.array_equal(levels(find_edges(image)), cv2.Canny(np.asarray(image), 100, 200))


@pytest.mark.parametrize("seed", range(3))
def test_edges_of_noise_are_those_of_opencv(seed):
    cv2 = pytest.importorskip("cv2")
    values = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = Image.fromarray(values).resize((123, 97), Image.Resampling.BICUBIC)
    assert np.array_equal(levels(find_edges(image)), cv2.Canny(np.asarray(image), 100, 200))


def test_edges_of_a_square_run_around_it_and_nowhere_else():
    image = Image.new("RGB", (40, 40), "black")
    ImageDraw.Draw(image).rectangle((10, 12, 29, 31), fill="red")
    edges = levels(find_edges(image)) > 0
    assert edges.any()
    assert not edges[:9].any()
    assert not edges[15:28, 14:26].any()
    assert edges[12:32].any(axis=1).all()


def test_nothing_has_no_edge_and_no_line():
    image = Image.new("RGB", (40, 30), (90, 120, 200))
    assert not levels(find_edges(image)).any()
    assert not levels(draw_lines(image)).any()


def test_dark_lines_are_white_on_black_however_faint_they_are():
    for ink in (0, 200):
        image = Image.new("RGB", (60, 60), "white")
        ImageDraw.Draw(image).line((10, 30, 50, 30), fill=(ink, ink, ink), width=2)
        lines = levels(draw_lines(image))
        assert lines[30, 20:40].min() > 100
        assert lines[:15].max() == 0
