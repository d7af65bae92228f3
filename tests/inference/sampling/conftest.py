import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch

from inference.sampling.noise import NoiseSource
from inference.sampling.noise_table import NoiseTable


@dataclass(frozen=True)
class Gaussian:
    """Data drawn from N(mean, spread²): the best denoiser and the flow are known exactly."""

    mean: float = 0.7
    spread: float = 0.6

    def denoise(self, x, sigma):
        return (self.spread**2 * x + sigma**2 * self.mean) / (self.spread**2 + sigma**2)

    def flow(self, x, sigma_from, sigma_to):
        """Solve the probability flow between two levels."""
        ratio = (self.spread**2 + sigma_to**2) / (self.spread**2 + sigma_from**2)
        return self.mean + (x - self.mean) * math.sqrt(ratio)

    def noised(self, sigma, shape, seed=0):
        """Draw from the data with noise of this level."""
        unit = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return self.mean + unit * math.sqrt(self.spread**2 + sigma**2)


def drive(sampler, denoise):
    """Run a sampler to its end; return the latent and the levels at which it called."""
    seen = []
    try:
        x, sigma = next(sampler)
        while True:
            seen.append(sigma)
            x, sigma = sampler.send(denoise(x, sigma))
    except StopIteration as stop:
        return stop.value, seen


@pytest.fixture(scope="session")
def gaussian():
    return Gaussian()


@pytest.fixture(scope="session")
def run_sampler():
    """Give (latent, levels called) for a sampler function, a start, sigmas and a denoiser."""

    def run(function, x, sigmas, denoise, seed=0):
        return drive(function(x, tuple(sigmas), NoiseSource(seed, tuple(x.shape))), denoise)

    return run


class Played:
    """A noise source that gives recorded noises in turn, whatever it is asked."""

    def __init__(self, noises):
        self._noises = iter(noises)

    def fresh_noise(self):
        return next(self._noises)

    def brownian_noise(self, sigma_from, sigma_to):
        return next(self._noises)


@pytest.fixture(scope="session")
def play():
    """Give the latent of a sampler whose noises are given."""

    def run(function, x, sigmas, denoise, noises):
        return drive(function(x, tuple(sigmas), Played(noises)), denoise)[0]

    return run


@pytest.fixture(scope="session")
def exploding_oracle():
    """Run a diffusers scheduler on latents x0 + sigma·noise; ``level`` names its current sigma."""

    def run(scheduler, x, denoise, level=lambda s: s.sigmas[s.step_index], **options):
        for t in scheduler.timesteps:
            scheduler.scale_model_input(x, t)
            sigma = float(level(scheduler))
            x = scheduler.step((x - denoise(x, sigma)) / sigma, t, x, **options).prev_sample
        return x

    return run


@pytest.fixture(scope="session")
def preserving_oracle():
    """Run a diffusers scheduler on latents of unit variance from ``x`` = x0 + sigma·noise."""

    def run(scheduler, x, sigmas, denoise, **options):
        x = x / math.sqrt(1 + sigmas[0] ** 2)
        for t, sigma in zip(scheduler.timesteps, sigmas, strict=False):
            exploding = x * math.sqrt(1 + sigma**2)
            output = (exploding - denoise(exploding, sigma)) / sigma
            x = scheduler.step(output, t, x, **options).prev_sample
        return x

    return run


@pytest.fixture(scope="session")
def table():
    return NoiseTable.from_config({})


@pytest.fixture(scope="session")
def ramp():
    """Give n + 1 levels from high to low, evenly spaced in sigma^(1/7)."""

    def levels(n, high=10.0, low=0.1):
        return [
            (high ** (1 / 7) + i / n * (low ** (1 / 7) - high ** (1 / 7))) ** 7
            for i in range(n + 1)
        ]

    return levels


@pytest.fixture(scope="session")
def order_of(gaussian, run_sampler, ramp):
    """Measure a deterministic solver's order: the slope of log error over log steps."""

    def measure(function, counts=(32, 64, 128), scale=lambda x, sigma: x):
        x = gaussian.noised(10.0, (1, 2, 8)).double()
        exact = gaussian.flow(x, 10.0, 0.1)
        errors = []
        for n in counts:
            result, _ = run_sampler(function, x, ramp(n), gaussian.denoise)
            errors.append((scale(result, 0.1) - exact).abs().max().item())
        return [math.log2(a / b) for a, b in pairwise(errors)]

    return measure


@pytest.fixture(scope="session")
def keeps_the_data(gaussian, run_sampler, ramp):
    """Give the (mean, spread) that a sampler makes of the Gaussian data, and the true ones."""

    def measure(function, steps=80, end=0.02):
        x = gaussian.noised(10.0, (4, 48, 48), seed=1)
        result, _ = run_sampler(function, x, [*ramp(steps, low=end), 0.0], gaussian.denoise)
        expected = pytest.approx([gaussian.mean, gaussian.spread], abs=0.03)
        return [result.mean().item(), result.std().item()], expected

    return measure


@pytest.fixture
def noise_latent():
    """Draw the latent [4, 8, 8] that a run of sigma 1 would start from."""
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def tiny_network():
    """Give a fixed nonlinear x0 predictor on [4, 8, 8], smooth enough to compare solvers on."""
    weights = torch.randn(4, 4, generator=torch.Generator().manual_seed(3)).double() / 2

    def denoise(x, sigma):
        mixed = torch.einsum("dc,...chw->...dhw", weights.to(x.dtype), x / math.sqrt(1 + sigma**2))
        return torch.tanh(mixed + 0.3 * math.log(sigma))

    return denoise
