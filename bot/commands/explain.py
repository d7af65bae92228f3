"""`/explain`: say how a prompt is read, without painting it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import OPTION_AUTOCOMPLETES, EaselCog
from bot.requests.options import with_job_options
from inference.api.jobs import ExplainJob

EXPLAIN_OPTIONS = ("prompt", "negative_prompt", "steps", "sampler", "seed", "model")


class ExplainCog(EaselCog):
    """/explain."""

    @app_commands.command(description="Show how a prompt is read: weights, schedules, mistakes.")
    @with_job_options(ExplainJob, EXPLAIN_OPTIONS, OPTION_AUTOCOMPLETES)
    async def explain(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an explanation."""
        await self.submit_command(interaction, ExplainJob, option_values)
