import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.noise import NoiseSource, SeedVariation, paste_centre, slerp

SHAPE = (4, 16, 24)
seeds = st.integers(0, 2**32 - 1)


def randn(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_draws_are_those_of_one_generator_in_order(seed):
    source = NoiseSource(seed, SHAPE)
    first, second, third = randn(seed, SHAPE, SHAPE, SHAPE)
    assert torch.equal(first, source.initial_noise())
    assert torch.equal(second, source.fresh_noise())
    assert torch.equal(third, source.fresh_noise())


def test_the_initial_noise_stays_the_same_and_takes_no_draw():
    source = NoiseSource(3, SHAPE)
    source.initial_noise().zero_()
    assert torch.equal(randn(3, SHAPE)[0], source.initial_noise())
    assert torch.equal(randn(3, SHAPE, SHAPE)[1], source.fresh_noise())


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    source = NoiseSource(
        3, SHAPE, variation=SeedVariation(4, 0.5), resize_from=(8, 8), seed_delta=1
    )
    source.fresh_noise()
    source.brownian_noise(3.0, 1.0)
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_delta_reseeds_the_ancestral_noise_only():
    source = NoiseSource(3, SHAPE, seed_delta=31337)
    assert torch.equal(randn(3, SHAPE)[0], source.initial_noise())
    assert torch.equal(randn(3 + 31337, SHAPE)[0], source.fresh_noise())


def test_a_variation_of_strength_zero_or_one_is_one_of_the_two():
    low, high = randn(3, SHAPE)[0], randn(4, SHAPE)[0]
    none = NoiseSource(3, SHAPE, variation=SeedVariation(4, 0.0)).initial_noise()
    whole = NoiseSource(3, SHAPE, variation=SeedVariation(4, 1.0)).initial_noise()
    assert torch.equal(low, none)
    torch.testing.assert_close(high, whole)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1))
def test_a_variation_keeps_unit_variance(strength):
    noise = NoiseSource(3, (4, 48, 48), variation=SeedVariation(4, strength)).initial_noise()
    assert noise.std().item() == pytest.approx(1, abs=0.05)


def test_slerp_follows_the_arc():
    low, high = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[0.0], [1.0]]])
    half = 2**-0.5
    torch.testing.assert_close(torch.tensor([[[half], [half]]]), slerp(low, high, 0.5))


def test_slerp_of_parallel_noise_is_a_straight_line():
    low = randn(1, SHAPE)[0]
    torch.testing.assert_close(low * 1.5, slerp(low, low * 2, 0.5))


@pytest.mark.parametrize("small", [(8, 8), (8, 12), (16, 24)])
def test_resized_seed_keeps_the_smaller_latents_noise_in_the_centre(small):
    (patch,), (canvas,) = randn(3, (4, *small)), randn(3, SHAPE)
    actual = NoiseSource(3, SHAPE, resize_from=small).initial_noise()
    top, left = (16 - small[0]) // 2, (24 - small[1]) // 2
    inside = (..., slice(top, top + small[0]), slice(left, left + small[1]))
    assert torch.equal(patch, actual[inside])
    if small != (16, 24):
        assert torch.equal(canvas[..., 0, 0], actual[..., 0, 0])


def test_resized_seed_crops_a_larger_latent():
    (patch,) = randn(3, (4, 20, 40))
    actual = NoiseSource(3, SHAPE, resize_from=(20, 40)).initial_noise()
    assert torch.equal(patch[:, 2:18, 8:32], actual)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_a_patch_covers_the_centre_that_both_share(height, width, patch_height, patch_width):
    canvas, patch = torch.zeros(1, height, width), torch.ones(1, patch_height, patch_width)
    pasted = paste_centre(canvas, patch)
    assert pasted.shape == canvas.shape
    # Of a larger patch an odd remainder is cut off on both sides, as the field's programs do.
    rows, columns = (
        shared - (patch_side > side and (patch_side - side) % 2)
        for side, patch_side, shared in (
            (height, patch_height, min(height, patch_height)),
            (width, patch_width, min(width, patch_width)),
        )
    )
    assert pasted.sum() == rows * columns
