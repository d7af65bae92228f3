"""`/loopback`: repaint a picture, its result, that result, and so on."""

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
from bot.requests.options import with_job_options
from inference.api.jobs import LoopbackJob

LOOPBACK_OPTIONS = (
    "prompt",
    "negative_prompt",
    "loops",
    "strength",
    "final_strength",
    "curve",
    "animate",
    "append",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "width",
    "height",
    "resize_mode",
    "model",
    "schedule",
    "colour_correction",
    "extra_noise",
    "guidance_rescale",
    "seed_delta",
)


class LoopbackCog(EaselCog):
    """/loopback."""

    @app_commands.command(description="Repaint a picture, then its result, several times.")
    @with_job_options(
        LoopbackJob,
        LOOPBACK_OPTIONS,
        OPTION_AUTOCOMPLETES | {"more": autocomplete_more(LoopbackJob, LOOPBACK_OPTIONS)},
        STYLE_OPTION | MORE_OPTION,
    )
    async def loopback(
        self, interaction: discord.Interaction[Any], /, **option_values: Any
    ) -> None:
        """Queue a loopback job."""
        await self.submit_command(interaction, LoopbackJob, option_values)
