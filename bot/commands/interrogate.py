"""`/interrogate`: describe a picture in words."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import EaselCog, autocomplete_models
from bot.requests.options import with_job_options
from inference.api.jobs import InterrogateJob

INTERROGATE_OPTIONS = (
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
    """/interrogate."""

    @app_commands.command(description="Describe a picture in words or tags.")
    @with_job_options(
        InterrogateJob, INTERROGATE_OPTIONS, {"model": autocomplete_models("captioner", "tagger")}
    )
    async def interrogate(
        self, interaction: discord.Interaction[Any], /, **option_values: Any
    ) -> None:
        """Queue an interrogation job."""
        await self.submit_command(interaction, InterrogateJob, option_values)
