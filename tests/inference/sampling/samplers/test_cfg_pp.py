"""CFG++ against its formulas in double precision, and against the plain samplers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from inference.sampling.registry import SAMPLER_SPECS

SIGMAS = (14.6, 9.0, 4.1, 1.7, 0.6, 0.2, 0.0)
GUIDANCE = 1.3
PLAIN_NAMES = {
    "Euler CFG++": "Euler",
    "Euler a CFG++": "Euler a",
    "DPM++ 2S a CFG++": "DPM++ 2S a",
    "DPM++ 2M CFG++": "DPM++ 2M",
}


def conditional(x, sigma):
    """Predict a clean latent that depends on every cell and on the level; double precision."""
    return np.tanh(0.7 * x / math.sqrt(1 + sigma**2) + 0.2 * math.log(sigma))


def unconditional(x, sigma):
    return np.tanh(0.4 * np.roll(x, 1, axis=-1) / math.sqrt(1 + sigma**2) - 0.1)


def guided(x, sigma):
    plain = unconditional(x, sigma)
    return plain + GUIDANCE * (conditional(x, sigma) - plain)


def draw_noises():
    generator = np.random.default_rng(4)
    return [generator.standard_normal((4, 8, 8)) for _ in range(len(SIGMAS))]


def walk_variance_preserving(x, eta):
    """Walk algorithm 2 of the paper on x·√ᾱ, with DDIM's noise (Song et al. 2021a, equation 16)."""
    fresh = iter(draw_noises()[1:])
    alphas = [1 / (1 + sigma**2) for sigma in SIGMAS]
    x = x * math.sqrt(alphas[0])
    for alpha, alpha_next in pairwise(alphas):
        sigma = math.sqrt(1 / alpha - 1)
        exploding = x / math.sqrt(alpha)
        eps_guided = (exploding - guided(exploding, sigma)) / sigma
        eps_plain = (exploding - unconditional(exploding, sigma)) / sigma
        clean = (x - math.sqrt(1 - alpha) * eps_guided) / math.sqrt(alpha)
        variance = eta**2 * (1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next)
        x = math.sqrt(alpha_next) * clean
        x = x + math.sqrt(max(1 - alpha_next - variance, 0)) * eps_plain
        if variance > 1e-12:
            x = x + math.sqrt(variance) * next(fresh)
    return x


def walk_2s(x):
    """Walk DPM-Solver++(2S) in t = −log σ, x's own part being x + D − U of the first call."""
    fresh = iter(draw_noises()[1:])
    for sigma, sigma_next in pairwise(SIGMAS):
        clean, plain = guided(x, sigma), unconditional(x, sigma)
        if sigma_next == 0:
            return clean
        up = math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2)
        t, t_next = -math.log(sigma), -math.log(math.sqrt(sigma_next**2 - up**2))
        h = t_next - t
        middle = math.exp(-(t + h / 2))
        half = math.exp(-h / 2) * (x + clean - plain) - math.expm1(-h / 2) * clean
        x = math.exp(-h) * (x + clean - plain) - math.expm1(-h) * guided(half, middle)
        x = x + up * next(fresh)
    return x


def walk_2m(x):
    """Walk the field's DPM++ 2M: the difference is taken from the last unconditional latent."""
    last, h_last = None, 0.0
    for sigma, sigma_next in pairwise(SIGMAS):
        clean, plain = guided(x, sigma), unconditional(x, sigma)
        if sigma_next == 0:
            return clean
        h = math.log(sigma) - math.log(sigma_next)
        bend = 0.0 if last is None else (clean - last) * h / (2 * h_last)
        x = clean + math.exp(-h) * (x - plain) - math.expm1(-h) * bend
        last, h_last = plain, h
    return x


ORACLES = {
    "Euler CFG++": lambda x: walk_variance_preserving(x, eta=0),
    "Euler a CFG++": lambda x: walk_variance_preserving(x, eta=1),
    "DPM++ 2S a CFG++": walk_2s,
    "DPM++ 2M CFG++": walk_2m,
}


def both_predictions(x, sigma):
    return torch.stack([torch.from_numpy(f(x.numpy(), sigma)) for f in (guided, unconditional)])


@pytest.mark.parametrize("sampler", ORACLES)
def test_equals_the_formula_in_double_precision(play, sampler):
    first, *fresh = draw_noises()
    start = first * SIGMAS[0]
    noises = [torch.from_numpy(noise) for noise in fresh]

    actual = play(
        SAMPLER_SPECS[sampler].run, torch.from_numpy(start), SIGMAS, both_predictions, noises
    )

    np.testing.assert_allclose(actual.numpy(), ORACLES[sampler](start), rtol=0, atol=1e-10)


@pytest.mark.parametrize("sampler", PLAIN_NAMES)
def test_where_nothing_is_guided_away_from_it_is_the_plain_sampler(
    play, tiny_network, noise_latent, sampler
):
    noises = [torch.from_numpy(noise) for noise in draw_noises()]
    plain = SAMPLER_SPECS[PLAIN_NAMES[sampler]]

    actual = play(
        SAMPLER_SPECS[sampler].run,
        noise_latent.double() * SIGMAS[0],
        SIGMAS,
        lambda x, sigma: tiny_network(x, sigma).expand(2, *x.shape),
        noises,
    )

    expected = play(plain.run, noise_latent.double() * SIGMAS[0], SIGMAS, tiny_network, noises)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_they_say_that_they_need_the_unconditional_latent():
    needy = {name for name, spec in SAMPLER_SPECS.items() if spec.uses_unconditional}
    assert needy == set(PLAIN_NAMES)
