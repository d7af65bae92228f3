"""Every sampler under its name, with its facts and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import Sampler, Sigmas
from inference.sampling.samplers.euler import ddim, euler, euler_ancestral
from inference.sampling.schedules import SCHEDULES
from inference.sampling.traits import TRAITS, SamplerTraits

__all__ = ["SAMPLERS", "SCHEDULES", "Run", "SamplerSpec", "names", "schedule_names"]

Run = Callable[[Tensor, Sigmas, NoiseSource], Sampler]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(SamplerTraits):
    """A sampler's facts and the coroutine that runs it."""

    #: Start the sampler on one row: (x, sigmas, noise) → coroutine.
    run: Run


_RUNS: Mapping[str, Run] = {
    "Euler a": euler_ancestral,
    "Euler": euler,
    "DDIM": ddim,
}

SAMPLERS: Mapping[str, SamplerSpec] = MappingProxyType(
    {name: SamplerSpec(**vars(TRAITS[name]), run=run) for name, run in _RUNS.items()}
)


def names() -> tuple[str, ...]:
    """Return the samplers' names in the order they are shown."""
    return tuple(SAMPLERS)


def schedule_names() -> tuple[str, ...]:
    """Return the schedules' names in the order they are shown."""
    return tuple(SCHEDULES)
