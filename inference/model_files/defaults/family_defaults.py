"""What the families of checkpoints need, where neither a file nor the catalogue says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from inference.model_files.pipelines.flow_families import FlowFamily, GuidanceKind

Options = Mapping[str, Any]

#: What a checkpoint that was taught to draw in a few steps has in its name, and what it needs. As
#: the makers of each kind write on their cards; of turbo merges, the step count most of them name.
FEW_STEP_OPTIONS: Mapping[str, Options] = MappingProxyType(
    {
        "lightning": {
            "steps": 6,
            "guidance": 1.0,
            "sampler": "Euler",
            "schedule": "SGM Uniform",
        },
        "hyper": {"steps": 8, "guidance": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"},
        "lcm": {"steps": 6, "guidance": 1.5, "sampler": "LCM", "schedule": "SGM Uniform"},
        "dmd2": {"steps": 4, "guidance": 1.0, "sampler": "LCM", "schedule": "Automatic"},
        "turbo": {"steps": 6, "guidance": 2.0, "sampler": "DPM++ SDE", "schedule": "Karras"},
    }
)
#: Words stand alone, or begin with a capital: `realvisLightning`, but not `hyperrealistic`.
_KIND_PATTERN = re.compile(
    r"(?<![a-z])(?P<plain>lightning|hyper|lcm|dmd2|turbo)(?![a-z])"
    r"|(?P<marked>Lightning|Hyper|LCM|DMD2|Turbo|LIGHTNING|HYPER|TURBO)(?![a-z])"
)
_STEPS_PATTERN = re.compile(r"(?<![0-9.])([1-9]|1[0-6])[ _-]?steps?(?![a-z])", re.IGNORECASE)

#: Of flow families, by their transformer's title: what diffusers' own pipelines take, in our scale
#: of guidance (Z-Image's is one more than there), and what the few-step ones' cards say.
FLOW_OPTIONS: Mapping[str, Options] = MappingProxyType(
    {
        "Z-Image": {"steps": 50, "guidance": 6.0},
        "FLUX.1": {"steps": 28, "guidance": 3.5},
        "FLUX.2 klein": {"steps": 50, "guidance": 4.0},
        "Chroma": {"steps": 35, "guidance": 5.0},
        "Qwen-Image": {"steps": 50, "guidance": 4.0},
        "Stable Diffusion 3": {"steps": 28, "guidance": 7.0},
    }
)
FEW_STEP_FLOW_OPTIONS: Mapping[str, Options] = MappingProxyType(
    {
        "Z-Image": {"steps": 9, "guidance": 1.0},
        "FLUX.1": {"steps": 4, "guidance": 1.0},
        "FLUX.2 klein": {"steps": 4, "guidance": 1.0},
        "Stable Diffusion 3": {"steps": 4, "guidance": 1.0},
    }
)
FLOW_SAMPLER: Options = MappingProxyType({"sampler": "Euler", "schedule": "Automatic"})
#: Z-Image is Turbo unless its name says that it is the base: base settings burn Turbo's pictures,
#: Turbo's only leave the base's unfinished.
_Z_IMAGE_BASE_PATTERN = re.compile(r"base|z[-_ ]?image$", re.IGNORECASE)


def find_few_step_kind(name: str) -> str:
    """Say by which method a checkpoint of that name draws in a few steps; empty for others."""
    match = _KIND_PATTERN.search(name)
    return "" if match is None else match[0].casefold()


def few_step_options(name: str) -> Options:
    """Give what a checkpoint needs whose name says that it draws in a few steps."""
    options = dict(FEW_STEP_OPTIONS.get(find_few_step_kind(name), {}))
    match = _STEPS_PATTERN.search(name)
    if options and match is not None:
        options["steps"] = int(match[1])
    return options


def flow_options(name: str, family: FlowFamily, guidance_kind: GuidanceKind) -> Options:
    """Give what a checkpoint of a flow family needs."""
    is_fast = guidance_kind == "none" or bool(find_few_step_kind(name))
    if family.title == "Z-Image":
        is_fast = is_fast or not _Z_IMAGE_BASE_PATTERN.search(name)
    table = FEW_STEP_FLOW_OPTIONS if is_fast else FLOW_OPTIONS
    usual_options = FLOW_OPTIONS.get(family.title, {})
    return {**FLOW_SAMPLER, **table.get(family.title, usual_options)}
