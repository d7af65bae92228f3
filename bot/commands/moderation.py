"""`/moderation`: results that wait for a moderator, shown, released or deleted."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.commands.base import MAX_CHOICE, EaselCog
from bot.locales import say
from bot.sentences import english
from bot.views import client_of
from bot.views.moderation import Release, Remove, for_case
from storage.moderation import Case
from storage.records import JobRecord

KINDS = {"reported": english("reported"), "held": english("held")}
WHICH = "Its number, as /moderation list shows it"


async def open_cases(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[int]]:
    """Complete the server's open cases."""
    found = await client_of(interaction).bench.cases(str(interaction.guild_id))
    named = [(_named(case, record), case.number) for case, record in found]
    return [
        app_commands.Choice(name=name[:MAX_CHOICE], value=number)
        for name, number in named[:25]
        if current.casefold() in name
    ]


class ModerationCog(EaselCog):
    """The moderators' queue."""

    moderation = app_commands.Group(
        name="moderation",
        description="Results that wait for a moderator.",
        default_permissions=discord.Permissions(manage_messages=True),
        guild_only=True,
    )

    @moderation.command(name="list", description="List what was reported or held, oldest first.")
    async def list_cases(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the moderator alone."""
        found = await self.bot.bench.cases(str(interaction.guild_id))
        await interaction.response.send_message(texts.cases(found), ephemeral=True)

    @moderation.command(description="Look at a case: its pictures, hidden, and its words.")
    @app_commands.describe(case=WHICH)
    @app_commands.autocomplete(case=open_cases)
    async def show(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Show it to the moderator alone, with the buttons that decide it."""
        one, record = await self.bot.bench.case(str(interaction.guild_id), case)
        await interaction.response.defer(ephemeral=True, thinking=True)
        uploads = await self.bot.delivery.uploads_of(record, interaction.filesize_limit)
        await interaction.followup.send(
            texts.case(one, record), files=uploads, view=for_case(one.number), ephemeral=True
        )

    @moderation.command(description="Let a held result be shown, or dismiss a report.")
    @app_commands.describe(case=WHICH)
    @app_commands.autocomplete(case=open_cases)
    async def release(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Release it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send(await Release(case).decide(interaction), ephemeral=True)

    @moderation.command(description="Delete a result from its message and from the store.")
    @app_commands.describe(case=WHICH)
    @app_commands.autocomplete(case=open_cases)
    async def delete(self, interaction: discord.Interaction[Any], case: int) -> None:
        """Delete it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send(await Remove(case).decide(interaction), ephemeral=True)


def _named(case: Case, record: JobRecord) -> str:
    return f"#{case.number} {say(KINDS.get(case.kind, case.kind))} {texts.title(record.kind)}"
