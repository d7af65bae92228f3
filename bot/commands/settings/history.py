"""What is set, who set it, what it would mean for a member, and the way back."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import guilds, messages
from bot.commands.settings.base import (
    SETTINGS_GROUP,
    SettingsCogBase,
    admin_of,
    reply_with_settings,
)
from bot.errors import NotAllowed
from bot.i18n import translate
from bot.requests.requester import context_of
from bot.views.settings import PANEL_PAGES, build_panel
from inference.api.jobs import ImagineJob

MAX_LISTED_CHANGES = 10  # changes shown


class SettingsHistoryCommands(SettingsCogBase):
    """Looking, trying and going back."""

    @SETTINGS_GROUP.command(description="Show what this server has set, and the last changes.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show the rules and their history."""
        book, guild = self.bot.rulebook, str(interaction.guild_id)
        message = messages.settings_overview(
            await book.guild_settings(guild), await book.recent_changes(guild, MAX_LISTED_CHANGES)
        )
        await interaction.response.send_message(message, ephemeral=True)

    @SETTINGS_GROUP.command(description="Set everything by selects and forms.")
    async def panel(self, interaction: discord.Interaction[Any]) -> None:
        """Show the panel to the admin alone."""
        rules = await self.bot.rulebook.guild_settings(str(interaction.guild_id))
        view = build_panel(interaction, rules, next(iter(PANEL_PAGES)))
        await interaction.response.send_message(
            messages.settings_overview(rules, ()), view=view, ephemeral=True
        )

    @SETTINGS_GROUP.command(
        name="try", description="Would this member be allowed to use Easel there?"
    )
    @app_commands.describe(
        member="Who", channel="Where; left out, here", prompt="Would these words be allowed?"
    )
    async def dry_run(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member,
        channel: discord.TextChannel | None = None,
        prompt: app_commands.Range[str, 0, 6000] = "",
    ) -> None:
        """Say yes, or why not; nothing is queued."""
        guild, owner = str(interaction.guild_id), str(member.id)
        rules = await self.bot.gate.guild_settings(guild)
        asker = context_of(member, channel or interaction.channel)
        uses = await self.bot.gate.gpu_usage(guild, owner)
        try:
            await self.bot.gate.check_permissions(
                rules, asker, guild, owner, ImagineJob(prompt=prompt)
            )
            remaining_text = messages.quota_message(guilds.quota_of(rules, asker), uses)
            message = translate(
                "Yes: {member} may use Easel there. {left}",
                member=member.mention,
                left=remaining_text,
            )
        except NotAllowed as error:
            message = translate(
                "No. {member} would read: {why}", member=member.mention, why=error.sentence
            )
        await interaction.response.send_message(message, ephemeral=True)

    @SETTINGS_GROUP.command(description="Take the last change back, or forget all that was set.")
    @app_commands.describe(what="Which")
    async def undo(
        self, interaction: discord.Interaction[Any], what: Literal["last change", "everything"]
    ) -> None:
        """Go back; this is a change, too, and can be taken back."""
        book = self.bot.rulebook
        back = book.reset_settings if what == "everything" else book.undo_last
        await reply_with_settings(interaction, await back(*admin_of(interaction)))
