"""`/outpaint`: continue a picture beyond its edges."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import (
    MORE_OPTION,
    OPTION_AUTOCOMPLETES,
    STYLE_OPTION,
    EaselCog,
    autocomplete_more,
)
from bot.commands.mentions.intent_parser import ALL_SIDES_PRESET
from bot.requests.options import with_job_options
from inference.api.jobs import OutpaintJob

OUTPAINT_OPTIONS = (
    "prompt",
    "negative_prompt",
    "preset",
    "left",
    "right",
    "up",
    "down",
    "method",
    "strength",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "batch",
    "model",
    "schedule",
    "masked_content",
    "mask_blur",
    "fall_off",
    "colour_variation",
    "extra_noise",
    "guidance_rescale",
)

OUTPAINT_SIDES = ("left", "right", "up", "down")
AREA_OPTIONS = (*OUTPAINT_SIDES, "preset")


class OutpaintCog(EaselCog):
    """/outpaint."""

    @app_commands.command(description="Continue a picture beyond its edges.")
    @with_job_options(
        OutpaintJob,
        OUTPAINT_OPTIONS,
        OPTION_AUTOCOMPLETES | {"more": autocomplete_more(OutpaintJob, OUTPAINT_OPTIONS)},
        STYLE_OPTION | MORE_OPTION,
    )
    async def outpaint(
        self, interaction: discord.Interaction[Any], /, **option_values: Any
    ) -> None:
        """Queue an outpainting job; on all sides, as a reply does it, where none is named."""
        if all(option_values[name] is None for name in AREA_OPTIONS):
            option_values["preset"] = ALL_SIDES_PRESET
        await self.submit_command(interaction, OutpaintJob, option_values)
