"""From steps and denoising strength to the noise levels of one run, and to its price."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inference.sampling import schedules
from inference.sampling.flow_table import FlowTable
from inference.sampling.noise_table import NoiseTable, linspace
from inference.sampling.sampler_traits import SAMPLER_TRAITS, SamplerTraits

#: Strength 1 keeps a trace of the picture: one schedule step is never all of the noise.
MAX_STRENGTH = 0.999

#: The exact form makes schedules of steps/strength entries; below one percent the edit is already
#: invisible, and 150 steps would ask for more than 15,000 of them.
MIN_STRENGTH = 0.01


@dataclass(frozen=True)
class SigmaPlan:
    """The noise levels one run visits.

    ``sigmas`` falls and has one entry more than the run has steps; it is empty when nothing runs,
    and then the picture stays as it is.
    """

    sigmas: tuple[float, ...]
    #: Place of the first sigma in the whole schedule.
    start_index: int
    #: Network calls of the whole run, by which a job is priced.
    network_calls: int
    #: Level to which the starting latent is noised.
    noise_sigma: float
    #: Lowest and highest noise level of the whole schedule, of which a part may run.
    span: tuple[float, float] = (0.0, 0.0)
    #: Pure noise starts at unit variance after scaling, not at sigma (DDIM, PLMS, UniPC).
    variance_preserving: bool = False

    @property
    def step_count(self) -> int:
        """Number of steps that run."""
        return max(len(self.sigmas) - 1, 0)


def plan_noise_levels(
    sampler: str,
    schedule: str,
    steps: int,
    strength: float | None,
    table: NoiseTable,
    exact: bool = True,
) -> SigmaPlan:
    """Lay out the noise levels of a run.

    ``strength`` in [0, 1] starts from a picture, None from pure noise. ``exact`` runs as many
    steps as asked, from the end of a schedule of steps/strength entries; otherwise the share
    ``strength`` of the steps runs.

    Raises:
        ValueError: an unknown sampler or schedule, or a number out of its range.
    """
    traits = _sampler_traits(sampler)
    length, count = _schedule_span(steps, strength, exact, traits)
    if count == 0:
        return SigmaPlan((), length, 0, 0.0, variance_preserving=traits.timestep_based)
    if traits.timestep_based:
        start = count if strength is not None and not exact else count - 1
        return _timestep_plan(traits, length, count, start, table, strength is None)
    if traits.trained_steps:
        table = table.keep_steps(traits.trained_steps)
    full = _full_schedule(traits, schedule, length, table)
    if exact and strength is not None and schedule == "DDIM":  # which may be longer than asked
        full = (
            *(table.t_to_sigma(t) for t in reversed(schedules.ddim_timesteps(length, table))),
            0,
        )
    first, span = length - count, (full[-2], full[0])
    sigmas = full[first:]
    if traits.between_ends:
        sigmas = _levels_between_ends(sigmas, table, strength is None)
    return SigmaPlan(sigmas, first, traits.network_calls(len(sigmas) - 1), sigmas[0], span)


def count_run_steps(steps: int, strength: float | None, exact: bool, sampler: str) -> int:
    """Return how many steps run, without laying them out; schedule DDIM may have some more.

    Raises:
        ValueError: as :func:`plan`.
    """
    return _schedule_span(steps, strength, exact, _sampler_traits(sampler))[1]


def count_network_calls(steps: int, strength: float | None, exact: bool, sampler: str) -> int:
    """Return how often the network is called, without laying the steps out.

    Raises:
        ValueError: as :func:`plan`.
    """
    return _sampler_traits(sampler).network_calls(count_run_steps(steps, strength, exact, sampler))


def _sampler_traits(sampler: str) -> SamplerTraits:
    if sampler not in SAMPLER_TRAITS:
        raise ValueError(f"there is no sampler {sampler!r}; known are {', '.join(SAMPLER_TRAITS)}")
    return SAMPLER_TRAITS[sampler]


def _schedule_span(
    steps: int, strength: float | None, exact: bool, traits: SamplerTraits
) -> tuple[int, int]:
    """Return (entries of the whole schedule, steps that run at its end)."""
    if steps < 1:
        raise ValueError(f"a run needs one step or more, not {steps}")
    if strength is None:
        return steps, steps
    if not 0 <= strength <= 1:
        raise ValueError(f"denoising strength goes from 0 to 1, not {strength}")
    if strength == 0:
        return steps, 0
    capped_strength = min(strength, MAX_STRENGTH)
    if exact:
        return int(steps / max(capped_strength, MIN_STRENGTH)), steps
    encoded_steps = int(capped_strength * steps)
    return steps, encoded_steps if traits.timestep_based else encoded_steps + 1


def _full_schedule(
    traits: SamplerTraits, schedule: str, length: int, table: NoiseTable
) -> tuple[float, ...]:
    """Return the whole schedule: ``length`` sigmas and the final 0."""
    name = traits.default_schedule if schedule == "Automatic" else schedule
    if isinstance(table, FlowTable):  # whose own schedule suits every sampler
        name = schedule
    if not traits.discard_penultimate:
        return schedules.schedule_sigmas(name, length, table)
    longer_schedule = schedules.schedule_sigmas(name, length + 1, table)
    return (*longer_schedule[:-2], longer_schedule[-1])


def _levels_between_ends(
    sigmas: tuple[float, ...], table: NoiseTable, from_noise: bool
) -> tuple[float, ...]:
    """Space as many levels evenly in log sigma, from the first to the last above 0.

    From pure noise these are the training's own, whatever the schedule.
    """
    high, low = (table.sigma_max, table.sigma_min) if from_noise else (sigmas[0], sigmas[-2])
    if len(sigmas) == 2:
        low = table.sigma_min
    return tuple(map(math.exp, linspace(math.log(high), math.log(low), len(sigmas))))


def _timestep_plan(
    traits: SamplerTraits,
    length: int,
    count: int,
    start: int,
    table: NoiseTable,
    from_noise: bool,
) -> SigmaPlan:
    """Take the lowest ``count`` of DDIM's timesteps, then the first training step.

    The latent is noised to timestep number ``start``. For a share of the steps that is one above
    the first the network sees, as in the original DDIM sampler of latent diffusion. A time-uniform
    sampler begins at the same timestep, or from pure noise at the last of all.
    """
    timesteps = schedules.ddim_timesteps(length, table)
    noise_timestep, run_timesteps = timesteps[start], timesteps[count - 1 :: -1]
    if traits.time_uniform:
        first = len(table.sigmas) - 1.0 if from_noise else run_timesteps[0]
        noise_timestep = first if from_noise else noise_timestep
        run_timesteps = linspace(first, 0, count + 1)[:-1]
    return SigmaPlan(
        sigmas=(*(table.t_to_sigma(t) for t in run_timesteps), table.sigma_min),
        start_index=length - count,
        network_calls=traits.network_calls(count),
        noise_sigma=table.t_to_sigma(noise_timestep),
        variance_preserving=True,
    )
