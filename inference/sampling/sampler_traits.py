"""What is known of each sampler before any tensor exists: names, defaults and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class SamplerTraits:
    """The facts of one sampler; names and defaults are those of AUTOMATIC1111's web UI."""

    #: The field's own name.
    name: str
    #: The schedule that "Automatic" stands for.
    default_schedule: str = "Uniform"
    #: Network calls of a usual step.
    calls_per_step: int = 1
    #: Calls a run takes beyond that; negative where the step that ends at zero calls once.
    extra_calls: int = 0
    #: The schedule is built one step longer and loses its last but one sigma.
    discard_penultimate: bool = False
    #: The sampler keeps DDIM's own timesteps whatever the schedule, and ends at the first of them.
    timestep_based: bool = False
    #: It draws fresh noise at its steps.
    uses_noise: bool = False
    #: That noise is a Brownian path over the noise levels.
    uses_brownian: bool = False

    def network_calls(self, steps: int) -> int:
        """Return how often a run of ``steps`` steps calls the network."""
        return steps * self.calls_per_step + self.extra_calls if steps > 0 else 0


def _two_calls(name: str, **overrides: str | bool) -> SamplerTraits:
    """Describe a sampler that calls twice a step, but once in the step that ends at zero."""
    return SamplerTraits(name=name, calls_per_step=2, extra_calls=-1, **overrides)  # type: ignore[arg-type]


_ALL_SAMPLERS = (
    SamplerTraits(name="Euler a", uses_noise=True),
    SamplerTraits(name="Euler"),
    SamplerTraits(name="DDIM", timestep_based=True),
    SamplerTraits(name="LMS"),
    _two_calls("Heun"),
    _two_calls("DPM2", default_schedule="Karras", discard_penultimate=True),
    _two_calls("DPM2 a", default_schedule="Karras", discard_penultimate=True, uses_noise=True),
    _two_calls("DPM++ 2S a", default_schedule="Karras", uses_noise=True),
    SamplerTraits(name="DPM++ 2M", default_schedule="Karras"),
    _two_calls("DPM++ SDE", default_schedule="Karras", uses_noise=True, uses_brownian=True),
    SamplerTraits(
        name="DPM++ 2M SDE", default_schedule="Exponential", uses_noise=True, uses_brownian=True
    ),
    SamplerTraits(
        name="DPM++ 2M SDE Heun",
        default_schedule="Exponential",
        uses_noise=True,
        uses_brownian=True,
    ),
    SamplerTraits(
        name="DPM++ 3M SDE",
        default_schedule="Exponential",
        discard_penultimate=True,
        uses_noise=True,
        uses_brownian=True,
    ),
    SamplerTraits(name="DPM fast"),
    SamplerTraits(name="PLMS", extra_calls=1, timestep_based=True),
    SamplerTraits(name="UniPC", timestep_based=True),
    SamplerTraits(name="LCM", default_schedule="SGM Uniform", uses_noise=True),
    _two_calls("Restart", default_schedule="Karras", uses_noise=True),
)

SAMPLER_TRAITS: Mapping[str, SamplerTraits] = MappingProxyType(
    {one.name: one for one in _ALL_SAMPLERS}
)
