"""Every sampler under its name, with its facts and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import Sampler, Sigmas
from inference.sampling.samplers.dpm2 import dpm2, dpm2_ancestral
from inference.sampling.samplers.dpm_fast import dpm_fast
from inference.sampling.samplers.dpmpp import dpmpp_2s_ancestral, dpmpp_sde
from inference.sampling.samplers.dpmpp_multistep import (
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2m_sde_heun,
    dpmpp_3m_sde,
)
from inference.sampling.samplers.euler import ddim, euler, euler_ancestral
from inference.sampling.samplers.heun import heun, restart
from inference.sampling.samplers.lcm import lcm
from inference.sampling.samplers.multistep import lms, plms
from inference.sampling.samplers.unipc import unipc
from inference.sampling.schedules import SCHEDULES
from inference.sampling.traits import TRAITS, SamplerTraits

__all__ = ["SAMPLERS", "SCHEDULES", "Run", "SamplerSpec", "names"]

Run = Callable[[Tensor, Sigmas, NoiseSource], Sampler]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(SamplerTraits):
    """A sampler's facts and the coroutine that runs it."""

    #: Start the sampler on one row: (x, sigmas, noise) → coroutine.
    run: Run


_RUNS: Mapping[str, Run] = {
    "DPM++ 2M": dpmpp_2m,
    "DPM++ SDE": dpmpp_sde,
    "DPM++ 2M SDE": dpmpp_2m_sde,
    "DPM++ 2M SDE Heun": dpmpp_2m_sde_heun,
    "DPM++ 2S a": dpmpp_2s_ancestral,
    "DPM++ 3M SDE": dpmpp_3m_sde,
    "Euler a": euler_ancestral,
    "Euler": euler,
    "LMS": lms,
    "Heun": heun,
    "DPM2": dpm2,
    "DPM2 a": dpm2_ancestral,
    "DPM fast": dpm_fast,
    "Restart": restart,
    "DDIM": ddim,
    "PLMS": plms,
    "UniPC": unipc,
    "LCM": lcm,
}

SAMPLERS: Mapping[str, SamplerSpec] = MappingProxyType(
    {name: SamplerSpec(**vars(traits), run=_RUNS[name]) for name, traits in TRAITS.items()}
)


def names() -> tuple[str, ...]:
    """Return the samplers' names in the order they are shown."""
    return tuple(SAMPLERS)
