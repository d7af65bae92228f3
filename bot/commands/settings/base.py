"""What the parts of `/settings` share."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.commands.base import EaselCog
from bot.policy import Rules

Where = discord.TextChannel | discord.VoiceChannel | discord.ForumChannel

SETTINGS = app_commands.Group(
    name="settings",
    description="What this server allows.",
    default_permissions=discord.Permissions(manage_guild=True),
    guild_only=True,
)


class Part(EaselCog):
    """A part of the cog."""

    async def change(self, interaction: discord.Interaction[Any], values: dict[str, Any]) -> None:
        """Set what is given and show what holds now."""
        rules = await self.bot.rulebook.change(*who(interaction), values)
        await answer(interaction, rules)

    async def change_list(
        self, interaction: discord.Interaction[Any], name: str, entry: str, on: bool
    ) -> None:
        """Put an entry on a list, or take it off, and show what holds now."""
        rules = await self.bot.rulebook.listed(*who(interaction), name, entry, on)
        await answer(interaction, rules)


def who(interaction: discord.Interaction[Any]) -> tuple[str, str]:
    """Return the server's id and the admin's."""
    return str(interaction.guild_id), str(interaction.user.id)


async def answer(interaction: discord.Interaction[Any], rules: Rules) -> None:
    """Show an admin alone what holds now."""
    await interaction.response.send_message(texts.settings(rules, ()), ephemeral=True)
