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
from bot.guilds.context import context_of
from bot.i18n import translate
from bot.messages.escaping import escape_sentence
from bot.views.settings import PANEL_PAGES, build_panel
from inference.api.jobs import ImagineJob

MAX_LISTED_CHANGES = 10  # changes shown


class SettingsHistoryCommands(SettingsCogBase):
    """/settings show, panel, try and undo."""

    @SETTINGS_GROUP.command(description="Show what this server has set, and the last changes.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show the settings and their history."""
        editor, guild = self.services.settings_editor, str(interaction.guild_id)
        message = messages.settings_overview(
            await editor.guild_settings(guild),
            await editor.recent_changes(guild, MAX_LISTED_CHANGES),
            host_limits=editor.host_limits,
        )
        await interaction.response.send_message(message, ephemeral=True)

    @SETTINGS_GROUP.command(description="Set everything by selects and forms.")
    async def panel(self, interaction: discord.Interaction[Any]) -> None:
        """Show the panel to the admin alone."""
        settings = await self.services.settings_editor.guild_settings(str(interaction.guild_id))
        page = next(iter(PANEL_PAGES))
        await interaction.response.send_message(
            messages.settings_overview(
                settings, (), page, host_limits=self.services.settings_editor.host_limits
            ),
            view=build_panel(interaction, settings, page),
            ephemeral=True,
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
        policy = self.services.policy
        settings = await policy.guild_settings(interaction.guild_id)
        context = context_of(
            member,
            channel or interaction.channel,
            guild_id=interaction.guild_id,
            user_id=member.id,
        )
        uses = await policy.gpu_usage(context)
        try:
            await policy.check_permissions(settings, context, ImagineJob(prompt=prompt))
            remaining_text = messages.quota_message(guilds.quota_of(settings, context), uses)
            message = translate(
                "Yes: {member} may use Easel there. {left}",
                member=member.mention,
                left=remaining_text,
            )
        except NotAllowed as error:
            message = translate(
                "No. {member} would read: {why}",
                member=member.mention,
                why=escape_sentence(error.sentence),
            )
        await interaction.response.send_message(message, ephemeral=True)

    @SETTINGS_GROUP.command(description="Take the last change back, or forget all that was set.")
    @app_commands.describe(what="Which")
    async def undo(
        self, interaction: discord.Interaction[Any], what: Literal["last change", "everything"]
    ) -> None:
        """Go back; this is a change, too, and can be taken back."""
        editor = self.services.settings_editor
        back = editor.reset_settings if what == "everything" else editor.undo_last
        await reply_with_settings(interaction, await back(*admin_of(interaction)))
