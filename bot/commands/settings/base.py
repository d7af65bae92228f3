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
    """A part of the cog."""

    async def change_settings(
        self, interaction: discord.Interaction[Any], values: dict[str, Any]
    ) -> None:
        """Set what is given and show what holds now."""
        rules = await self.bot.rulebook.apply_changes(*admin_of(interaction), values)
        await reply_with_settings(interaction, rules)

    async def change_list(
        self, interaction: discord.Interaction[Any], name: str, entry: str, on: bool
    ) -> None:
        """Put an entry on a list, or take it off, and show what holds now."""
        rules = await self.bot.rulebook.toggle_list_entry(*admin_of(interaction), name, entry, on)
        await reply_with_settings(interaction, rules)


def admin_of(interaction: discord.Interaction[Any]) -> tuple[str, str]:
    """Return the server's id and the admin's."""
    return str(interaction.guild_id), str(interaction.user.id)


async def reply_with_settings(interaction: discord.Interaction[Any], rules: GuildSettings) -> None:
    """Show an admin alone what holds now."""
    await interaction.response.send_message(messages.settings_overview(rules, ()), ephemeral=True)
