"""Who may use Easel, and where."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import messages
from bot.commands.settings.base import SETTINGS_GROUP, AllowableChannel, SettingsCogBase
from bot.guilds.settings import AUTOMATIC_LANGUAGE

LANGUAGE_CHOICES = [
    app_commands.Choice(name=AUTOMATIC_LANGUAGE, value=AUTOMATIC_LANGUAGE),
    *(app_commands.Choice(name=name, value=code) for code, name in messages.LANGUAGE_NAMES.items()),
]


class AccessCommands(SettingsCogBase):
    """Channels, roles, and where admins are told of what happens."""

    @SETTINGS_GROUP.command(
        description="Allow or no longer allow a channel; with none listed, all are."
    )
    @app_commands.describe(
        channel="Its threads are meant as well", allow="No takes it off the list"
    )
    async def channel(
        self, interaction: discord.Interaction[Any], channel: AllowableChannel, allow: bool = True
    ) -> None:
        """Change the list of channels."""
        await self.change_list(interaction, "channels", str(channel.id), allow)

    @SETTINGS_GROUP.command(
        description="Allow or no longer allow a role; with none listed, everyone is."
    )
    @app_commands.describe(role="Who has it may use Easel", allow="No takes it off the list")
    async def role(
        self, interaction: discord.Interaction[Any], role: discord.Role, allow: bool = True
    ) -> None:
        """Change the list of roles."""
        await self.change_list(interaction, "roles", str(role.id), allow)

    @SETTINGS_GROUP.command(
        description="Show results to everyone in the channel, or to their member."
    )
    @app_commands.describe(results="Private ones end after 15 minutes and wait in /queue then")
    async def visibility(
        self, interaction: discord.Interaction[Any], results: Literal["public", "private"]
    ) -> None:
        """Change who sees results."""
        await self.change_settings(interaction, {"visibility": results})

    @SETTINGS_GROUP.command(description="The language that Easel speaks in this server's channels.")
    @app_commands.describe(language="Automatic is the one that the server has in Discord")
    @app_commands.choices(language=LANGUAGE_CHOICES)
    async def language(
        self, interaction: discord.Interaction[Any], language: app_commands.Choice[str]
    ) -> None:
        """Change in which language channels are answered; members alone have their own."""
        await self.change_settings(interaction, {"language": language.value})
