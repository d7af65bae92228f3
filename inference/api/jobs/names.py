"""Names of the field that jobs, commands and the command line share."""

from __future__ import annotations

SAMPLER_NAMES = (
    "Euler a",
    "Euler",
    "DDIM",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM++ 2M SDE",
    "DPM++ 2M SDE Heun",
    "DPM++ 3M SDE",
    "DPM fast",
    "DPM adaptive",
    "PLMS",
    "UniPC",
    "LCM",
    "Restart",
    "Euler CFG++",
    "Euler a CFG++",
    "DPM++ 2S a CFG++",
    "DPM++ 2M CFG++",
)

#: Samplers that ask the network twice a step; prices and prompt schedules count calls, not steps.
TWO_CALL_SAMPLERS = (
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ SDE",
    "Restart",
    "DPM++ 2S a CFG++",
)

#: Samplers that look at the unconditional prediction at every guidance scale, 1 included.
CFG_PP_SAMPLERS = ("Euler CFG++", "Euler a CFG++", "DPM++ 2S a CFG++", "DPM++ 2M CFG++")

TRAINING_STEPS = 1000
#: Samplers whose networks keep to some of them.
DISTILLED_STEPS = {"LCM": 50}

#: Network calls of a sampler that chooses its steps itself, as they were counted in usual pictures.
ADAPTIVE_CALLS = {"DPM adaptive": 100}

#: Samplers that run one step less where a strength asks for a share of them.
TIMESTEP_SAMPLERS = ("DDIM", "PLMS", "UniPC")

SCHEDULE_NAMES = (
    "Automatic",
    "Uniform",
    "Karras",
    "Exponential",
    "Polyexponential",
    "SGM Uniform",
    "KL Optimal",
    "Align Your Steps",
    "Simple",
    "Normal",
    "DDIM",
    "Beta",
)

#: What a hires fix does where its second pass is not to differ from the first.
FIRST_PASS_CHOICE = "same"  # noqa: S105 - no password

RESIZE_MODES = ("just resize", "crop and resize", "resize and fill", "latent upscale")
MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")
MASK_MODES = ("masked", "not masked")
PREVIEW_KINDS = ("mask", "grid")
INPAINT_AREAS = ("whole picture", "only masked", "mask edge")
OUTPAINT_METHODS = ("poor man's", "mk2")
OUTPAINT_PRESETS = (
    "custom",
    "zoom out 1.5x",
    "zoom out 2x",
    "pan left",
    "pan right",
    "pan up",
    "pan down",
    "make square",
    "to 16:9",
    "to 9:16",
    "to 4:3",
    "to 3:4",
)
STRENGTH_CURVES = ("linear", "aggressive", "lazy")
APPEND_CHOICES = ("none", "caption", "tags")
RNG_NAMES = ("CPU", "NV")
EMPHASIS_MODES = ("Original", "No norm", "Ignore", "None")

MAX_SEED = 2**64 - 1
"""Seeds have 64 bits, as the generators take them and ComfyUI draws them; -1 asks for one."""

DRAWN_SEEDS = 4294967294
"""How many seeds a random one is drawn from, as the web UIs draw theirs: 0 is the first."""


def count_seed(seed: int, steps: int = 1) -> int:
    """Count a seed up; behind the last one comes 0."""
    return (seed + steps) % (MAX_SEED + 1)


def count_extra_steps(sampler: str, schedule: str, steps: int) -> int:
    """Count the steps that schedule DDIM adds where the 1,000 of the training do not divide evenly.

    Samplers with a grid of their own, and of few training steps, take none.
    """
    training_steps = DISTILLED_STEPS.get(sampler, TRAINING_STEPS)
    if schedule != "DDIM" or sampler in TIMESTEP_SAMPLERS or steps >= training_steps:
        return 0
    return len(range(1, training_steps, training_steps // steps)) - steps


def count_prompt_calls(sampler: str, steps: int) -> int:
    """Count the network calls that a prompt's schedule is spread over, as the web UI does.

    That is twice the steps of a sampler of two calls, although its last step calls once.
    """
    return 2 * steps if sampler in TWO_CALL_SAMPLERS else steps
