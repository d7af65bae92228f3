"""`/history`: my last jobs, each with its picture, its parameters and its buttons."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts, views
from bot.commands.base import EaselCog
from storage.records import JobState

ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
LISTED = 10  # jobs of one page: their lines fit into one message


class HistoryCog(EaselCog):
    """What a member has made."""

    @app_commands.command(description="Show your last jobs, and go on from any of them.")
    async def history(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the member alone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        records = await self.bot.jobs.list_for(owner, states=ENDED, limit=LISTED)
        if not records:
            await interaction.followup.send(
                "You have made nothing yet. `/help` shows how to begin."
            )
            return
        view = views.for_history(records)
        await interaction.followup.send(texts.history(records), view=view, ephemeral=True)
