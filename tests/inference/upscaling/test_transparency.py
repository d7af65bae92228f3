import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.upscaling.transparency import (
    bound_transparency,
    extend_edge_colours,
    split_transparency,
)


def test_an_opaque_picture_has_no_transparency() -> None:
    opaque = Image.new("RGBA", (3, 2), (1, 2, 3, 255))

    colour, alpha = split_transparency(opaque)

    assert colour.tolist() == np.full((2, 3, 3), (1, 2, 3)).tolist()
    assert alpha is None


def test_hidden_colour_is_replaced_by_visible_neighbours() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :, :3] = (0, 255, 0)
    pixels[3:5, 3:5] = (200, 10, 30, 128)

    colour, alpha = split_transparency(Image.fromarray(pixels))

    assert alpha is not None
    assert {tuple(pixel) for pixel in colour.reshape(-1, 3).tolist()} == {(200, 10, 30)}
    np.testing.assert_array_equal(alpha, pixels[..., 3])


@settings(deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    seed=st.integers(0, 99),
    clear=st.floats(0, 1),
)
def test_visible_pixels_stay_as_they_are(height: int, width: int, seed: int, clear: float) -> None:
    random = np.random.default_rng(seed)
    colour = random.integers(0, 256, (height, width, 3), np.uint8)
    alpha = random.integers(1, 256, (height, width), np.uint8)
    alpha[random.random((height, width)) < clear] = 0

    bled = extend_edge_colours(colour, alpha)

    np.testing.assert_array_equal(bled[alpha > 0], colour[alpha > 0])
    assert bled.shape == colour.shape
    if alpha.any():
        seen = colour[alpha > 0]
        assert (bled >= seen.min(axis=0)).all()
        assert (bled <= seen.max(axis=0)).all()


def test_a_picture_without_a_visible_pixel_turns_black() -> None:
    assert (
        extend_edge_colours(np.full((3, 5, 3), 9, np.uint8), np.zeros((3, 5), np.uint8)).max() == 0
    )


def test_solid_and_clear_areas_stay_solid_and_clear() -> None:
    alpha = np.zeros((6, 6), np.uint8)
    alpha[:, 3:] = 255
    enlarged = Image.new("L", (24, 24), 120)

    bounded = np.asarray(bound_transparency(enlarged, alpha))

    assert set(bounded[:, :8].ravel().tolist()) == {0}
    assert set(bounded[:, 8:16].ravel().tolist()) == {120}
    assert set(bounded[:, 16:].ravel().tolist()) == {255}


def test_refuses_another_mode() -> None:
    with pytest.raises(ValueError, match="got LA"):
        split_transparency(Image.new("LA", (2, 2)))
