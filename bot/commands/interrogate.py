"""`/interrogate`: describe a picture in words."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import EaselCog, completion
from bot.options import shows
from inference.jobs import Interrogate

OPTIONS = (
    "method",
    "ranks",
    "lists",
    "top",
    "show_ranks",
    "threshold",
    "sort",
    "underscores",
    "escape",
    "skip",
    "beams",
    "min_length",
    "max_length",
    "model",
)


class InterrogateCog(EaselCog):
    """Interrogation."""

    @app_commands.command(description="Describe a picture in words or tags.")
    @shows(Interrogate, OPTIONS, {"model": completion("captioner", "tagger")})
    async def interrogate(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue an interrogation job."""
        await self.bot.desk.ask(interaction, Interrogate, given)
