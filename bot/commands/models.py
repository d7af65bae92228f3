"""`/models`: what the workers can run."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import policy, texts
from bot.commands.base import EaselCog


class ModelsCog(EaselCog):
    """What there is to choose from."""

    @app_commands.command(description="List the checkpoints, upscalers, describers and LoRAs here.")
    async def models(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the member alone."""
        guild = None if interaction.guild_id is None else str(interaction.guild_id)
        rules = await self.bot.gate.rules(guild)
        found = {
            (model.kind, model.name): model
            for worker in self.bot.service.workers
            for model in worker.models
            if policy.allows(rules, model.kind, model.name)
        }
        await interaction.response.send_message(texts.models(found.values()), ephemeral=True)
