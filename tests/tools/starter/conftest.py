"""A data set of eight drawn shapes, two styles each, in the form that the real one has."""

import json

import numpy as np
import pytest

from tools.starter import data

SHAPES = (
    "apple",
    "banana",
    "cat face",
    "blue heart",
    "dog",
    "evergreen tree",
    "fish",
    "green apple",
)


def icon(seed):
    """A filled rectangle of one colour on empty ground, uint8 [128, 128, 4]."""
    choice = np.random.default_rng(seed)
    pixels = np.zeros((128, 128, 4), np.uint8)
    left, top = choice.integers(10, 50, 2)
    width, height = choice.integers(30, 70, 2)
    colour = choice.permutation([230, 120, 20])
    pixels[top : top + height, left : left + width] = [*colour, 255]
    return pixels


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starter")
    styles = ("noto", "blob", "fluent", "flat", "emojione")
    labels = [(name, style) for name in SHAPES for style in styles]
    np.save(folder / "pictures.npy", np.stack([icon(seed) for seed in range(len(labels))]))
    names, kinds = zip(*labels, strict=True)
    (folder / "pictures.json").write_text(json.dumps({"names": names, "styles": kinds}))
    return folder


@pytest.fixture(scope="session")
def dataset(folder):
    return data.load(folder)
