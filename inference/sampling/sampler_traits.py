"""What is known of each sampler before any tensor exists: names, defaults and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inference.api.jobs.names import ADAPTIVE_CALLS


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
    #: Of those, the sampler spreads its steps evenly from the first timestep to the lowest.
    time_uniform: bool = False
    #: Only the ends of the schedule count; from pure noise they are those of the training.
    between_ends: bool = False
    #: The network was distilled at so many of its training steps, and all schedules keep to them.
    trained_steps: int | None = None
    #: It draws fresh noise at its steps.
    uses_noise: bool = False
    #: That noise is a Brownian path over the noise levels.
    uses_brownian: bool = False
    #: It looks at the unconditional clean latent beside the guided one, at every guidance scale.
    uses_unconditional: bool = False

    @property
    def suits_flow(self) -> bool:
        """Whether it runs networks that predict a flow: not by DDIM's steps or from the ends."""
        return not (self.timestep_based or self.between_ends)

    def network_calls(self, steps: int) -> int:
        """Return how often a run of ``steps`` steps calls the network, or usually calls it."""
        if steps > 0 and self.name in ADAPTIVE_CALLS:
            return ADAPTIVE_CALLS[self.name]
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
    SamplerTraits(name="DPM fast", between_ends=True, uses_noise=True),
    SamplerTraits(name="DPM adaptive", between_ends=True, uses_noise=True),
    SamplerTraits(name="PLMS", extra_calls=1, timestep_based=True),
    SamplerTraits(name="UniPC", timestep_based=True, time_uniform=True),
    SamplerTraits(name="LCM", trained_steps=50, uses_noise=True),
    _two_calls("Restart", default_schedule="Karras", uses_noise=True),
    SamplerTraits(name="Euler CFG++", uses_unconditional=True),
    SamplerTraits(name="Euler a CFG++", uses_noise=True, uses_unconditional=True),
    _two_calls(
        "DPM++ 2S a CFG++", default_schedule="Karras", uses_noise=True, uses_unconditional=True
    ),
    SamplerTraits(name="DPM++ 2M CFG++", default_schedule="Karras", uses_unconditional=True),
)

SAMPLER_TRAITS: Mapping[str, SamplerTraits] = MappingProxyType(
    {one.name: one for one in _ALL_SAMPLERS}
)
