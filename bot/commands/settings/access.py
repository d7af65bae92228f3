"""Who may use Easel, and where."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.settings.base import SETTINGS, Part, Where


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
