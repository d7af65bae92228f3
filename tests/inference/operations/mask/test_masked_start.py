import numpy as np
import pytest
from PIL import Image

from inference.operations.mask.masked_start import prepare_masked_start


@pytest.fixture
def mask():
    made = Image.new("L", (64, 64), 0)
    made.paste(200, (32, 0, 64, 64))
    return made


def test_the_original_stays_and_everything_else_is_filled_first(square, mask):
    assert prepare_masked_start(square, mask, "original").image is square
    for content in ("fill", "latent noise", "latent nothing"):
        begun = np.asarray(prepare_masked_start(square, mask, content).image)
        assert np.array_equal(begun[:, :32], np.asarray(square)[:, :32])
        assert not np.array_equal(begun[:, 40:], np.asarray(square)[:, 40:])


@pytest.mark.parametrize(
    ("content", "start"),
    [
        ("fill", "picture"),
        ("original", "picture"),
        ("latent noise", "noise"),
        ("latent nothing", "nothing"),
    ],
)
def test_what_the_engine_puts_under_the_mask(square, mask, content, start):
    assert prepare_masked_start(square, mask, content).work_fields["masked_start"] == start


def test_the_latent_mask_is_cut_unless_soft(square, mask):
    hard = prepare_masked_start(square, mask, "original").latent_mask
    soft = prepare_masked_start(square, mask, "original", soft=True).latent_mask
    assert hard.shape == (8, 8)
    assert set(np.unique(hard)) == {0, 1}
    assert soft[0, 7] == pytest.approx(200 / 255)


def test_latent_mask_may_differ_from_the_mask(square, mask):
    white = Image.new("L", (64, 64), 255)
    ground = prepare_masked_start(square, mask, "original", latent_area=white)
    assert ground.latent_mask.min() == 1
    assert ground.mask is mask
