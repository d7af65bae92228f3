"""`/history`: my pictures, each with its picture, its parameters, its buttons and its family."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import EaselCog, ended_jobs
from bot.i18n.message import gettext_noop
from bot.requests.image_sources import is_batch
from bot.views.base import find_job, require_owner
from bot.views.history.actions import show_job
from bot.views.history.pages import send_history
from bot.views.results import post_result, send_parameters

ASK_FOR_OWN_JOB = gettext_noop("Ask for one of your own.")


class HistoryCog(EaselCog):
    """/history."""

    @app_commands.command(description="Show your pictures, and go on from any of them.")
    @app_commands.describe(
        job="Show this one with its picture, its buttons and what came of it",
        picture="Of several pictures, this one alone",
        parameters="Show all that made it instead",
        star="Put a star on it, or take it off",
        post_here="Post it in this channel, with all its buttons, to go on from",
    )
    @app_commands.rename(post_here="here")
    @app_commands.autocomplete(job=ended_jobs)
    async def history(
        self,
        interaction: discord.Interaction[Any],
        job: app_commands.Range[str, 0, 100] = "",
        picture: app_commands.Range[int, 1, 8] | None = None,
        parameters: bool = False,
        star: bool | None = None,
        post_here: bool = False,
    ) -> None:
        """Show pages of them, or one, for the member alone."""
        if job.strip():
            record = await find_job(interaction, job)
            require_owner(interaction, record, ASK_FOR_OWN_JOB)
            if star is not None:
                await self.services.jobs.retention.set_star(record.id, is_starred=star)
            if parameters:
                await send_parameters(interaction, record, (picture or 1) - 1)
            elif post_here:
                await post_result(interaction, record, picture if is_batch(record) else None)
            else:
                await show_job(interaction, record, picture)
            return
        await send_history(interaction)
