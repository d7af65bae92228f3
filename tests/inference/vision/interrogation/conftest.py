"""Tiny models of the published classes with random weights, saved as their authors save them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.doubles.describers import save_blip, save_clip, save_tagger


@pytest.fixture(scope="session")
def cpu() -> torch.device:
    return torch.device("cpu")


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A host's models folder with the captioner `blip`, the ranker `clip` and the tagger `vit`."""
    shelf = tmp_path_factory.mktemp("describers")
    save_blip(shelf / "blip")
    save_clip(shelf / "clip")
    save_tagger(shelf / "vit")
    return shelf


@pytest.fixture(scope="session")
def noise() -> list[Image.Image]:
    """Three pictures that have nothing in common, of three shapes."""
    values = np.random.default_rng(0)
    return [
        Image.fromarray(values.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in ((40, 30), (64, 64), (20, 50))
    ]


@pytest.fixture
def small_pack(tmp_path) -> Path:
    """The starter pack's CLIP with a dozen of its names."""
    from inference.model_library import STARTER_FOLDER

    pack = tmp_path / "pack"
    pack.mkdir()
    for part in ("clip", "tokenizer"):
        (pack / part).symlink_to(STARTER_FOLDER / part, target_is_directory=True)
    names = ("red apple", "bus", "blue book", "evergreen tree", "cat face", "bone", "rocket")
    (pack / "concepts.json").write_text(json.dumps(names))
    return pack
