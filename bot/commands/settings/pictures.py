"""What is done with pictures that are not for everybody, and who is told."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.settings.base import SETTINGS_GROUP, SettingsCogBase

OrdinaryAction = Literal["unchecked", "block", "hold", "spoiler"]
RestrictedAction = Literal["unchecked", "spoiler", "hold", "block"]


class ImageCheckCommands(SettingsCogBase):
    """/settings nsfw and log."""

    @SETTINGS_GROUP.command(
        description="What to do with pictures that the check finds not for everybody."
    )
    @app_commands.describe(
        ordinary="In channels that are not age-restricted",
        age_restricted="In age-restricted channels",
        threshold="How sure the check must be, 0.05 to 0.99 (0.8)",
    )
    async def nsfw(
        self,
        interaction: discord.Interaction[Any],
        ordinary: OrdinaryAction | None = None,
        age_restricted: RestrictedAction | None = None,
        threshold: app_commands.Range[float, 0.05, 0.99] | None = None,
    ) -> None:
        """Change what is given."""
        check_values = {
            "nsfw_ordinary": ordinary,
            "nsfw_restricted": age_restricted,
            "nsfw_threshold": threshold,
        }
        changes = {name: value for name, value in check_values.items() if value is not None}
        await self.change_settings(interaction, changes)

    @SETTINGS_GROUP.command(
        description="Where moderators are told of reports and of what is withheld."
    )
    @app_commands.describe(channel="Left out, nobody is told; /moderation lists it all the same")
    async def log(
        self, interaction: discord.Interaction[Any], channel: discord.TextChannel | None = None
    ) -> None:
        """Change the log channel."""
        value = None if channel is None else str(channel.id)
        await self.change_settings(interaction, {"log_channel": value})
