"""`/history`: my last jobs, each with its picture, its parameters, its buttons and its family."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts, views
from bot.commands.base import ENDED, EaselCog, ended_jobs
from bot.locales import say
from bot.sentences import english
from bot.views.base import record_of, refuse_others
from bot.views.history import show_job
from bot.views.results import send_block

LISTED = 10  # jobs of one page: their lines fit into one message
YOURS = english("Ask for one of your own.")


class HistoryCog(EaselCog):
    """What a member has made."""

    @app_commands.command(description="Show your last jobs, and go on from any of them.")
    @app_commands.describe(
        job="Show this one with its picture, its buttons and what came of it",
        picture="Of several pictures, this one alone",
        parameters="Show all that made it instead",
    )
    @app_commands.autocomplete(job=ended_jobs)
    async def history(
        self,
        interaction: discord.Interaction[Any],
        job: app_commands.Range[str, 0, 100] = "",
        picture: app_commands.Range[int, 1, 8] | None = None,
        parameters: bool = False,
    ) -> None:
        """List them, or show one, for the member alone."""
        if job.strip():
            record = await record_of(interaction, job.strip())
            refuse_others(interaction, record, YOURS)
            if parameters:
                words = texts.parameters(record, (picture or 1) - 1)
                await send_block(interaction, words, f"{record.kind}-{record.id}.txt")
            else:
                await show_job(interaction, record, picture)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        records = await self.bot.jobs.list_for(owner, states=ENDED, limit=LISTED)
        if not records:
            await interaction.followup.send(
                say("You have made nothing yet. `/help` shows how to begin.")
            )
            return
        view = views.for_history(records)
        await interaction.followup.send(texts.history(records), view=view, ephemeral=True)
