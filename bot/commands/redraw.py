"""`/redraw`: enlarge a picture, then paint its detail anew, tile by tile (SD upscale)."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import OPTION_AUTOCOMPLETES, STYLE_OPTION, EaselCog
from bot.commands.upscale import UPSCALE_OPTIONS
from bot.requests.options import with_job_options
from inference.api.jobs import UpscaleJob

REDRAW_OPTIONS = (
    "prompt",
    "negative_prompt",
    "strength",
    "factor",
    "upscaler",
    "steps",
    "guidance",
    "sampler",
    "schedule",
    "seed",
    "model",
    "overlap",
    *(name for name in UPSCALE_OPTIONS if name not in ("factor", "upscaler")),
)


class RedrawCog(EaselCog):
    """/redraw."""

    @app_commands.command(
        description="Enlarge a picture and paint its detail anew, tile by tile (SD upscale)."
    )
    @with_job_options(
        UpscaleJob,
        REDRAW_OPTIONS,
        OPTION_AUTOCOMPLETES | {"second": OPTION_AUTOCOMPLETES["upscaler"]},
        STYLE_OPTION,
    )
    async def redraw(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an upscaling job that redraws."""
        await self.submit_command(interaction, UpscaleJob, {**option_values, "mode": "redraw"})
