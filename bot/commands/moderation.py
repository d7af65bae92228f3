"""`/moderation`: results that wait for a moderator, shown, released or deleted."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import MAX_CHOICE_CHARS, EaselCog
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.services import services_of
from bot.views.base import manages_channel_of
from bot.views.moderation import ReleaseButton, RemoveButton, find_managed_case, view_for_case
from storage.moderation import ModerationCase
from storage.records import JobRecord

CASE_KIND_NAMES = {"reported": gettext_noop("reported"), "held": gettext_noop("held")}
CASE_NUMBER_HELP = "Its number, as /moderation list shows it"


async def open_cases(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[int]]:
    """Complete the server's open cases."""
    cases = await _managed_cases(interaction)
    numbered_labels = [(_case_label(case, record), case.number) for case, record in cases]
    return [
        app_commands.Choice(name=name[:MAX_CHOICE_CHARS], value=number)
        for name, number in numbered_labels[:25]
        if current.casefold() in name
    ]


async def _managed_cases(
    interaction: discord.Interaction[Any],
) -> list[tuple[ModerationCase, JobRecord]]:
    """List the server's open cases whose results are shown where the moderator moderates."""
    cases = await services_of(interaction).cases.open_cases(str(interaction.guild_id))
    return [(case, record) for case, record in cases if manages_channel_of(interaction, record)]


class ModerationCog(EaselCog):
    """/moderation."""

    moderation = app_commands.Group(
        name="moderation",
        description="Results that wait for a moderator.",
        default_permissions=discord.Permissions(manage_messages=True),
        guild_only=True,
    )

    @moderation.command(name="list", description="List what was reported or held, oldest first.")
    async def list_cases(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the moderator alone."""
        cases = await _managed_cases(interaction)
        await interaction.response.send_message(messages.case_list(cases), ephemeral=True)

    @moderation.command(description="Look at a case: its pictures, hidden, and its words.")
    @app_commands.describe(case=CASE_NUMBER_HELP)
    @app_commands.autocomplete(case=open_cases)
    async def show(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Show it to the moderator alone, with the buttons that decide it."""
        open_case, record = await find_managed_case(interaction, case)
        await interaction.response.defer(ephemeral=True, thinking=True)
        uploads = await self.services.message_builder.uploads_of(record, interaction.filesize_limit)
        await interaction.followup.send(
            messages.case_details(open_case, record),
            files=uploads,
            view=view_for_case(open_case.number),
            ephemeral=True,
        )

    @moderation.command(description="Let a held result be shown, or dismiss a report.")
    @app_commands.describe(case=CASE_NUMBER_HELP)
    @app_commands.autocomplete(case=open_cases)
    async def release(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Release it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send(
            await ReleaseButton(case).on_decision(interaction), ephemeral=True
        )

    @moderation.command(description="Delete a result from its message and from the store.")
    @app_commands.describe(case=CASE_NUMBER_HELP)
    @app_commands.autocomplete(case=open_cases)
    async def delete(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Delete it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send(
            await RemoveButton(case).on_decision(interaction), ephemeral=True
        )


def _case_label(case: ModerationCase, record: JobRecord) -> str:
    return (
        f"#{case.number} {translate(CASE_KIND_NAMES.get(case.kind, case.kind))} "
        f"{messages.job_title(record)}"
    )
