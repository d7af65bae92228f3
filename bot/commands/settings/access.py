"""Who may use Easel, and where."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import texts
from bot.commands.settings.base import SETTINGS, Part, Where
from bot.policy.rules import AUTOMATIC

LANGUAGES = [
    app_commands.Choice(name=AUTOMATIC, value=AUTOMATIC),
    *(app_commands.Choice(name=name, value=code) for code, name in texts.NATIVE.items()),
]


class Access(Part):
    """Channels, roles, and where admins are told of what happens."""

    @SETTINGS.command(description="Allow or no longer allow a channel; with none listed, all are.")
    @app_commands.describe(
        channel="Its threads are meant as well", allow="No takes it off the list"
    )
    async def channel(
        self, interaction: discord.Interaction[Any], channel: Where, allow: bool = True
    ) -> None:
        """Change the list of channels."""
        await self.change_list(interaction, "channels", str(channel.id), allow)

    @SETTINGS.command(description="Allow or no longer allow a role; with none listed, everyone is.")
    @app_commands.describe(role="Who has it may use Easel", allow="No takes it off the list")
    async def role(
        self, interaction: discord.Interaction[Any], role: discord.Role, allow: bool = True
    ) -> None:
        """Change the list of roles."""
        await self.change_list(interaction, "roles", str(role.id), allow)

    @SETTINGS.command(description="Show results to everyone in the channel, or to their member.")
    @app_commands.describe(results="Private ones end after 15 minutes and wait in /queue then")
    async def visibility(
        self, interaction: discord.Interaction[Any], results: Literal["public", "private"]
    ) -> None:
        """Change who sees results."""
        await self.change(interaction, {"visibility": results})

    @SETTINGS.command(description="The language that Easel speaks in this server's channels.")
    @app_commands.describe(language="Automatic is the one that the server has in Discord")
    @app_commands.choices(language=LANGUAGES)
    async def language(
        self, interaction: discord.Interaction[Any], language: app_commands.Choice[str]
    ) -> None:
        """Change in which language channels are answered; members alone have their own."""
        await self.change(interaction, {"language": language.value})
