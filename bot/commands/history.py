"""`/history`: my last jobs, each with its picture, its parameters, its buttons and its family."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages, views
from bot.commands.base import ENDED_STATES, EaselCog, ended_jobs
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.views.base import find_job, require_owner
from bot.views.drawing import add_gallery_link
from bot.views.history import show_job
from bot.views.results import send_parameters

MAX_LISTED_JOBS = 10  # jobs of one page: their lines fit into one message
ASK_FOR_OWN_JOB = gettext_noop("Ask for one of your own.")


class HistoryCog(EaselCog):
    """/history."""

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
            record = await find_job(interaction, job)
            require_owner(interaction, record, ASK_FOR_OWN_JOB)
            if parameters:
                await send_parameters(interaction, record, (picture or 1) - 1)
            else:
                await show_job(interaction, record, picture)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        records = await self.services.jobs.reader.list_by_owner(
            owner, states=ENDED_STATES, limit=MAX_LISTED_JOBS
        )
        if not records:
            await interaction.followup.send(
                translate("You have made nothing yet. `/help` shows how to begin.")
            )
            return
        view = views.view_for_history(records)
        add_gallery_link(interaction, view)
        await interaction.followup.send(messages.history_list(records), view=view, ephemeral=True)
