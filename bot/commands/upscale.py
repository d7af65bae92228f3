"""`/upscale`: enlarge a picture with a network made for it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, EaselCog
from bot.options import shows
from inference.jobs import Upscale

OPTIONS = (
    "factor",
    "upscaler",
    "width",
    "height",
    "crop",
    "max_side",
    "second",
    "visibility",
    "denoise",
)


class UpscaleCog(EaselCog):
    """Enlarging."""

    @app_commands.command(description="Enlarge a picture and keep it sharp.")
    @shows(Upscale, OPTIONS, MODELS | {"second": MODELS["upscaler"]})
    async def upscale(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue an upscaling job."""
        await self.bot.desk.ask(interaction, Upscale, given)
