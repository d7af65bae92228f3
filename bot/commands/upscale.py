"""`/upscale`: enlarge a picture with a network made for it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import OPTION_AUTOCOMPLETES, EaselCog
from bot.requests.options import with_job_options
from inference.api.jobs import UpscaleJob

UPSCALE_OPTIONS = (
    "factor",
    "upscaler",
    "width",
    "height",
    "crop",
    "max_side",
    "second",
    "visibility",
    "denoise",
    "restore_faces",
    "restore_visibility",
    "restore_weight",
    "colourise",
)


class UpscaleCog(EaselCog):
    """/upscale."""

    @app_commands.command(description="Enlarge a picture and keep it sharp.")
    @with_job_options(
        UpscaleJob,
        UPSCALE_OPTIONS,
        OPTION_AUTOCOMPLETES | {"second": OPTION_AUTOCOMPLETES["upscaler"]},
    )
    async def upscale(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an upscaling job."""
        await self.submit_command(interaction, UpscaleJob, option_values)
