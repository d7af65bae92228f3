"""What the parts of `/settings` share."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import EaselCog
from bot.guilds import GuildSettings

AllowableChannel = discord.TextChannel | discord.VoiceChannel | discord.ForumChannel

SETTINGS_GROUP = app_commands.Group(
    name="settings",
    description="What this server allows.",
    default_permissions=discord.Permissions(manage_guild=True),
    guild_only=True,
)


class SettingsCogBase(EaselCog):
    """Base of the cog's parts: it changes settings and shows the result."""

    async def change_settings(
        self, interaction: discord.Interaction[Any], values: dict[str, Any]
    ) -> None:
        """Set what is given and show what holds now."""
        settings = await self.services.settings_editor.apply_changes(*admin_of(interaction), values)
        await reply_with_settings(interaction, settings)

    async def change_list(
        self, interaction: discord.Interaction[Any], name: str, entry: str, on: bool
    ) -> None:
        """Put an entry on a list, or take it off, and show what holds now."""
        settings = await self.services.settings_editor.toggle_list_entry(
            *admin_of(interaction), name, entry, on
        )
        await reply_with_settings(interaction, settings)


def admin_of(interaction: discord.Interaction[Any]) -> tuple[str, str]:
    """Return the server's id and the admin's."""
    return str(interaction.guild_id), str(interaction.user.id)


async def reply_with_settings(
    interaction: discord.Interaction[Any], settings: GuildSettings
) -> None:
    """Show an admin alone what holds now."""
    await interaction.response.send_message(
        messages.settings_overview(settings, ()), ephemeral=True
    )
