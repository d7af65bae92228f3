import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tools.starter import augment


def square(colour=(1.0, 0.0, 0.0)):
    icon = torch.zeros(4, 128, 128)
    icon[:3, 32:96, 32:96] = torch.tensor(colour)[:, None, None]
    icon[3, 32:96, 32:96] = 1
    return icon


def test_compose_shows_the_ground_where_the_icon_is_empty():
    image = augment.compose(square()[None], augment.backgrounds(["white"]))[0]
    assert image[:, 0, 0].tolist() == [1.0, 1.0, 1.0]
    assert image[:, 64, 64].tolist() == [1.0, -1.0, -1.0]


@given(st.integers(16, 128), st.data())
def test_place_keeps_the_size_and_never_bleeds_black(side, draw):
    left, top = (draw.draw(st.integers(0, 128 - side)) for _ in range(2))
    placed = augment.place(square(), side, left, top)
    assert placed.shape == (4, 128, 128)
    covered = placed[3] > 0.05
    assert placed[0][covered].min() > 0.99


@given(st.integers(0, 1000))
def test_moved_icons_stay_whole(seed):
    moved = augment.moved(square(), np.random.default_rng(seed))
    area = moved[3].sum() / square()[3].sum()
    assert augment.SMALLEST**2 * 0.95 <= area <= 1.001


def test_mirrored_turns_only_the_flagged():
    icons = torch.arange(4.0).reshape(2, 1, 1, 2)
    mirrored = augment.mirrored(icons, np.array([True, False]))
    assert mirrored.flatten(1).tolist() == [[1.0, 0.0], [2.0, 3.0]]


def test_beside_puts_the_first_icon_on_the_left():
    pair = augment.beside(square(), square((0.0, 0.0, 1.0)))
    assert pair[0, 64, 32] == 1
    assert pair[2, 64, 96] == 1


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_hue_round_trip(colour):
    rgb = torch.tensor(colour)[:, None, None]
    torch.testing.assert_close(augment.rgb_of(*augment.hue_saturation_value(rgb)), rgb)


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_recoloured_icons_have_the_colour_named(colour, channel):
    changed = augment.recoloured(square((0.9, 0.7, 0.1)), colour)
    assert changed[:3, 64, 64].argmax() == channel


def test_grey_and_many_coloured_icons_are_not_recoloured():
    assert augment.recoloured(square((0.5, 0.5, 0.5)), "red") is None
    two = square()
    two[:3, 32:64] = torch.tensor([0.0, 1.0, 1.0])[:, None, None] * two[3, 32:64]
    assert augment.recoloured(two, "red") is None


@given(st.integers(0, 1000))
def test_varied_pictures_keep_hue_range_and_ground(seed):
    white, blue = ([colour] for colour in ("white", "blue"))
    images = torch.cat(
        [augment.compose(square()[None], augment.backgrounds(ground)) for ground in (white, blue)]
    )
    varied = augment.varied(images, np.random.default_rng(seed))
    assert images.shape == varied.shape
    assert -1 <= varied.min() <= varied.max() <= 1
    assert torch.all(varied[:, :, 64, 64].argmax(1) == 0), "red stays red"
    assert not torch.equal(varied[0], varied[1])
    assert varied[1, 2, 0, 0] > varied[1, 0, 0, 0], "the blue ground reaches the corner"
