"""`/explain`: say how a prompt is read, without painting it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, EaselCog
from bot.options import shows
from inference.jobs import Explain

OPTIONS = ("prompt", "negative_prompt", "steps", "model")


class ExplainCog(EaselCog):
    """Explaining prompts."""

    @app_commands.command(description="Show how a prompt is read: weights, schedules, mistakes.")
    @shows(Explain, OPTIONS, MODELS)
    async def explain(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue an explanation."""
        await self.bot.desk.ask(interaction, Explain, given)
