"""Noise schedules: which sigmas a run of n steps visits.

Every schedule takes the number of steps n and the network's table and returns n sigmas, falling,
all positive; :func:`sigmas` adds the final 0. The grids are those of AUTOMATIC1111's web UI.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from inference.sampling.beta import beta_quantile
from inference.sampling.flow_table import FLOW_SCHEDULES, FlowTable
from inference.sampling.noise_table import NoiseTable, linspace

__all__ = ["ALIGN_YOUR_STEPS", "SCHEDULE_FUNCTIONS", "NoiseTable", "Schedule", "schedule_sigmas"]

Schedule = Callable[[int, NoiseTable], list[float]]

KARRAS_RHO = 7.0  # Karras et al. 2022, section 3
POLYEXPONENTIAL_RHO = 1.0
BETA_ALPHA = BETA_BETA = 0.6  # Lee et al. 2024, "Beta Sampling is All You Need"

#: Ten-step levels published with Sabour et al. 2024, "Align Your Steps".
ALIGN_YOUR_STEPS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "sd": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
        "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    }
)


def schedule_sigmas(name: str, steps: int, table: NoiseTable) -> tuple[float, ...]:
    """Return the named schedule's ``steps`` sigmas (DDIM's may be more), falling, and a final 0.

    Raises:
        ValueError: no schedule has this name, or means nothing for a network that predicts a
            flow; or steps is less than one.
    """
    if name not in SCHEDULE_FUNCTIONS:
        raise ValueError(
            f"there is no schedule {name!r}; known are {', '.join(SCHEDULE_FUNCTIONS)}"
        )
    if steps < 1:
        raise ValueError(f"a schedule needs one step or more, not {steps}")
    if isinstance(table, FlowTable):
        if name not in FLOW_SCHEDULES:
            raise ValueError(f"schedule {name!r} means nothing for a network that predicts a flow")
        levels = table.own_levels if name == "Automatic" else FLOW_SCHEDULES[name]
        return (*table.list_sigmas(levels(steps)), 0.0)
    return (*SCHEDULE_FUNCTIONS[name](steps, table), 0.0)


def uniform_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space the timesteps evenly from the last training step to the first."""
    return [table.t_to_sigma(t) for t in linspace(len(table.sigmas) - 1, 0, n)]


def karras_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space sigma^(1/rho) evenly (Karras et al. 2022, equation 5)."""
    high, low = table.sigma_max ** (1 / KARRAS_RHO), table.sigma_min ** (1 / KARRAS_RHO)
    return [root**KARRAS_RHO for root in linspace(high, low, n)]


def exponential_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space log sigma evenly."""
    return polyexponential_schedule(n, table, rho=1.0)


def polyexponential_schedule(
    n: int, table: NoiseTable, rho: float = POLYEXPONENTIAL_RHO
) -> list[float]:
    """Space log sigma by a ramp raised to rho."""
    low = math.log(table.sigma_min)
    span = math.log(table.sigma_max) - low
    return [math.exp(low + span * ramp**rho) for ramp in linspace(1.0, 0.0, n)]


def sgm_uniform_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space the timesteps evenly as for one step more and leave the lowest out."""
    return [table.t_to_sigma(t) for t in linspace(len(table.sigmas) - 1, 0, n + 1)[:-1]]


def kl_optimal_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space arctan sigma evenly over n intervals (Sabour et al. 2024, theorem 3.1)."""
    high, low = math.atan(table.sigma_max), math.atan(table.sigma_min)
    return [math.tan(angle) for angle in linspace(high, low, n + 1)[:-1]]


def align_your_steps_schedule(n: int, table: NoiseTable) -> list[float]:
    """Interpolate the published ten-step levels of the table's family in log sigma."""
    logs = [math.log(level) for level in ALIGN_YOUR_STEPS[table.family]]
    return [math.exp(_interpolate_at(logs, at)) for at in linspace(0, len(logs) - 1, n)]


def simple_schedule(n: int, table: NoiseTable) -> list[float]:
    """Take every (len/n)-th trained sigma from the highest down."""
    stride = len(table.sigmas) / n
    return [table.sigmas[-1 - int(i * stride)] for i in range(n)]


def normal_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space the timesteps evenly between those of the highest and lowest sigma."""
    high, low = table.sigma_to_t(table.sigma_max), table.sigma_to_t(table.sigma_min)
    return [table.t_to_sigma(t) for t in linspace(high, low, n)]


def ddim_schedule(n: int, table: NoiseTable) -> list[float]:
    """Take the sigmas of timesteps 1, 1 + stride, … to the last; some more than n unless n divides.

    So the web UI's ends near the highest noise, whatever n: with 30 steps 31 levels, from 991.
    """
    if n >= len(table.sigmas):
        return [table.t_to_sigma(t) for t in reversed(ddim_timesteps(n, table))]
    return list(table.sigmas[1 :: len(table.sigmas) // n])[::-1]


def ddim_timesteps(n: int, table: NoiseTable) -> list[float]:
    """Return n rising timesteps 1, 1 + stride, …, the stride a whole number while n allows.

    Schedules as long as the training, which only weak edits use, share its timesteps evenly.
    """
    count = len(table.sigmas)
    stride = count // n if n < count else (count - 2) / (n - 1)
    return [1 + stride * i for i in range(n)]


def beta_schedule(n: int, table: NoiseTable) -> list[float]:
    """Space sigma by the quantiles of the Beta(.6, .6) distribution: dense at both ends."""
    span = table.sigma_max - table.sigma_min
    quantiles = (beta_quantile(p, BETA_ALPHA, BETA_BETA) for p in linspace(1.0, 0.0, n))
    return [table.sigma_min + span * q for q in quantiles]


def _interpolate_at(values: list[float], at: float) -> float:
    low = min(int(at), len(values) - 2)
    return values[low] + (at - low) * (values[low + 1] - values[low])


SCHEDULE_FUNCTIONS: Mapping[str, Schedule] = MappingProxyType(
    {
        "Automatic": uniform_schedule,
        "Uniform": uniform_schedule,
        "Karras": karras_schedule,
        "Exponential": exponential_schedule,
        "Polyexponential": polyexponential_schedule,
        "SGM Uniform": sgm_uniform_schedule,
        "KL Optimal": kl_optimal_schedule,
        "Align Your Steps": align_your_steps_schedule,
        "Simple": simple_schedule,
        "Normal": normal_schedule,
        "DDIM": ddim_schedule,
        "Beta": beta_schedule,
    }
)
