"""`/models`: what the workers can run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import discord
from discord import app_commands

from bot import guilds, messages
from bot.commands.base import EaselCog


class ModelsCog(EaselCog):
    """/models."""

    @app_commands.command(description="List the checkpoints, upscalers, describers and LoRAs here.")
    async def models(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the member alone."""
        settings = await self.services.policy.guild_settings(interaction.guild_id)
        workers = [w for w in self.services.workers.worker_statuses if w.models]
        allowed_models = {
            (model.kind, model.name): model
            for worker in workers
            for model in worker.models
            if guilds.is_model_allowed(settings, model.kind, model.name)
        }
        counts = Counter(
            key for worker in workers for key in {(m.kind, m.name) for m in worker.models}
        )
        await interaction.response.send_message(
            messages.model_list(allowed_models.values(), counts, len(workers)), ephemeral=True
        )
