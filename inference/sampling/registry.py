"""Every sampler under its name, with its facts and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.sampler_traits import SAMPLER_TRAITS, SamplerTraits
from inference.sampling.samplers.cfg_pp import (
    sample_dpmpp_2m_cfg_pp,
    sample_dpmpp_2s_ancestral_cfg_pp,
    sample_euler_ancestral_cfg_pp,
    sample_euler_cfg_pp,
)
from inference.sampling.samplers.core import Sampler, Sigmas
from inference.sampling.samplers.dpm2 import sample_dpm2, sample_dpm2_ancestral
from inference.sampling.samplers.dpm_adaptive import sample_dpm_adaptive
from inference.sampling.samplers.dpm_fast import sample_dpm_fast
from inference.sampling.samplers.dpmpp import sample_dpmpp_2s_ancestral, sample_dpmpp_sde
from inference.sampling.samplers.dpmpp_multistep import (
    sample_dpmpp_2m,
    sample_dpmpp_2m_sde,
    sample_dpmpp_2m_sde_heun,
    sample_dpmpp_3m_sde,
)
from inference.sampling.samplers.euler import sample_ddim, sample_euler, sample_euler_ancestral
from inference.sampling.samplers.heun import sample_heun, sample_restart
from inference.sampling.samplers.lcm import sample_lcm
from inference.sampling.samplers.multistep import sample_lms, sample_plms
from inference.sampling.samplers.unipc import sample_unipc
from inference.sampling.schedules import SCHEDULE_FUNCTIONS

__all__ = ["SAMPLER_SPECS", "SCHEDULE_FUNCTIONS", "SamplerFunction", "SamplerSpec", "sampler_names"]

SamplerFunction = Callable[[Tensor, Sigmas, NoiseSource], Sampler]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(SamplerTraits):
    """A sampler's facts and the coroutine that runs it."""

    #: Start the sampler on one row: (x, sigmas, noise) → coroutine.
    run: SamplerFunction


_SAMPLER_FUNCTIONS: Mapping[str, SamplerFunction] = {
    "DPM++ 2M": sample_dpmpp_2m,
    "DPM++ SDE": sample_dpmpp_sde,
    "DPM++ 2M SDE": sample_dpmpp_2m_sde,
    "DPM++ 2M SDE Heun": sample_dpmpp_2m_sde_heun,
    "DPM++ 2S a": sample_dpmpp_2s_ancestral,
    "DPM++ 3M SDE": sample_dpmpp_3m_sde,
    "Euler a": sample_euler_ancestral,
    "Euler": sample_euler,
    "LMS": sample_lms,
    "Heun": sample_heun,
    "DPM2": sample_dpm2,
    "DPM2 a": sample_dpm2_ancestral,
    "DPM fast": sample_dpm_fast,
    "DPM adaptive": sample_dpm_adaptive,
    "Restart": sample_restart,
    "DDIM": sample_ddim,
    "PLMS": sample_plms,
    "UniPC": sample_unipc,
    "LCM": sample_lcm,
    "Euler CFG++": sample_euler_cfg_pp,
    "Euler a CFG++": sample_euler_ancestral_cfg_pp,
    "DPM++ 2S a CFG++": sample_dpmpp_2s_ancestral_cfg_pp,
    "DPM++ 2M CFG++": sample_dpmpp_2m_cfg_pp,
}

SAMPLER_SPECS: Mapping[str, SamplerSpec] = MappingProxyType(
    {
        name: SamplerSpec(**vars(traits), run=_SAMPLER_FUNCTIONS[name])
        for name, traits in SAMPLER_TRAITS.items()
    }
)


def sampler_names() -> tuple[str, ...]:
    """Return the samplers' names in the order they are shown."""
    return tuple(SAMPLER_SPECS)
