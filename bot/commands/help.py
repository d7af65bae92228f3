"""`/help`: what Easel can do, a page a topic."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.base import EaselCog
from bot.messages.help import HELP_PAGES, START_TOPIC, help_page_text


class HelpCog(EaselCog):
    """/help."""

    @app_commands.command(description="What Easel can do, with examples.")
    @app_commands.describe(topic="What to read about; left out, the beginning")
    async def help(
        self,
        interaction: discord.Interaction[Any],
        topic: Literal[tuple(HELP_PAGES)] = START_TOPIC,  # type: ignore[valid-type]
    ) -> None:
        """Show a page of help to the member alone."""
        await interaction.response.send_message(help_page_text(topic), ephemeral=True)
