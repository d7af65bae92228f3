import pytest
import torch

from tools.starter import measures
from tools.starter.captions import COLOURS
from tools.starter.masks import border, ellipse, latent_mask, random_mask, rectangle


def ground(colour):
    return (torch.tensor(COLOURS[colour]) / 127.5 - 1)[:, None, None].expand(3, 64, 64).clone()


def test_the_ring_tells_the_background_whatever_stands_inside():
    images = torch.stack([ground(colour) for colour in COLOURS])
    images[:, :, 10:54, 10:54] = 0.3
    assert list(COLOURS) == measures.background_colours(images)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("red apple", "apple"),
        ("angry face with horns", "face"),
        ("cup of tea", "cup"),
        ("on arrow", "arrow"),
    ],
)
def test_head_words(name, head):
    assert measures.head_word(name) == head


def test_share():
    assert measures.share([True, False, False, False]) == 0.25


def test_a_pasted_patch_shows_its_seam():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 64, 64, generator=generator) * 0.1
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    assert pytest.approx(measures.seam_score(image, mask), abs=0.15) == 1.0
    assert measures.seam_score(image + mask, mask) > 5


@pytest.mark.parametrize("kind", [ellipse, rectangle, border, random_mask])
def test_masks_are_binary_and_cover_something(kind):
    import numpy as np

    for seed in range(20):
        mask = kind(128, np.random.default_rng(seed))
        assert mask.shape == (1, 128, 128)
        assert {0.0, 1.0} >= set(mask.unique().tolist())
        assert mask.mean() > 0.05


def test_latent_masks_are_an_eighth():
    assert latent_mask(torch.ones(2, 1, 128, 128)).shape == (2, 1, 16, 16)
