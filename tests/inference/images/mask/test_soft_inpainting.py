from __future__ import annotations

import numpy as np
import pytest

from inference.images.mask.soft_inpainting import (
    SoftSettings,
    blend_latents,
    composite_mask,
    percentile_filter,
    smootherstep,
)

SETTINGS = SoftSettings()


def latents(seed):
    return np.random.default_rng(seed).standard_normal((4, 24, 16)).astype(np.float32)


def test_blend_ends():
    original, repainted = latents(1), latents(2)
    ones, zeros = np.ones((24, 16), np.float32), np.zeros((24, 16), np.float32)
    blend = [blend_latents(original, repainted, m, 3.0, SETTINGS) for m in (zeros, ones)]
    np.testing.assert_allclose(blend[0], original, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(blend[1], repainted, rtol=1e-3, atol=1e-4)
    assert np.float32 == blend[0].dtype


def test_blend_by_hand():
    # m .25, σ 2, power 1, scale .5: t = .25; lengths 3 and 5, detail 4.
    original = np.array([3.0, 0.0], np.float32).reshape(2, 1, 1)
    repainted = np.array([0.0, 5.0], np.float32).reshape(2, 1, 1)
    out = blend_latents(original, repainted, np.full((1, 1), 0.25, np.float32), 2.0, SETTINGS)
    length = (81 * 0.75 + 625 * 0.25) ** 0.25
    direction = np.array([2.25, 1.25]) / np.hypot(2.25, 1.25)
    np.testing.assert_allclose(out.ravel(), direction * length, rtol=1e-4)


def test_less_noise_lets_more_through():
    original, repainted = latents(1), latents(2)
    mask = np.full((24, 16), 0.5, np.float32)

    def away(sigma):
        return np.abs(blend_latents(original, repainted, mask, sigma, SETTINGS) - original).mean()

    assert away(0.1) > away(1.0) > away(10.0)


def test_smootherstep():
    x = np.array([-1, 0, 0.25, 0.5, 1, 2], np.float32)
    np.testing.assert_allclose([0, 0, 0.103515625, 0.5, 1, 1], smootherstep(x), atol=1e-6)


def test_percentile_filter():
    flat = np.full((5, 7), 3.0, np.float32)
    np.testing.assert_allclose(flat, percentile_filter(flat, 0.9, 1.0), rtol=1e-6)
    spike = np.zeros((9, 9), np.float32)
    spike[4, 4] = 1
    assert percentile_filter(spike, 0.25, 0.75).max() == 0
    assert pytest.approx(percentile_filter(spike, 0.9, 1.0)[4, 4], abs=0.2) == 1
    values = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    whole = percentile_filter(values, 0.0, 1.0)
    offsets = np.arange(-2, 3)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    expected = (values[2:7, 2:7] * weights).sum() / weights.sum()
    assert expected == pytest.approx(whole[4, 4], rel=1e-5)


def test_composite_follows_what_changed():
    original = latents(1)
    repainted = original.copy()
    repainted[:, :12] += 3
    half = np.full((24, 16), 0.5, np.float32)
    mask = np.asarray(composite_mask(original, repainted, half, (128, 192), SETTINGS))
    assert mask.shape == (192, 128)
    assert mask[:60].min() > 200
    assert mask[130:].max() < 20


def test_nothing_changed_keeps_the_original():
    original = latents(1)
    mask = np.ones((24, 16), np.float32)
    assert composite_mask(original, original, mask, (128, 192), SETTINGS).getextrema() == (0, 0)


def test_the_mask_can_decide():
    original, repainted = latents(1), latents(1) + 0.3
    settings = SoftSettings(mask_influence=1.0)
    mask = np.zeros((24, 16), np.float32)
    mask[:12] = 1
    out = np.asarray(composite_mask(original, repainted, mask, (128, 192), settings))
    assert out[:60].min() > 250
    assert out[130:].max() < 5
