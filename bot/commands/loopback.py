"""`/loopback`: repaint a picture, its result, that result, and so on."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, STYLE, EaselCog
from bot.options import shows
from inference.jobs import Loopback

OPTIONS = (
    "prompt",
    "negative_prompt",
    "loops",
    "strength",
    "final_strength",
    "curve",
    "animate",
    "append",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "width",
    "height",
    "resize_mode",
    "model",
    "schedule",
    "colour_correction",
)


class LoopbackCog(EaselCog):
    """Loopback."""

    @app_commands.command(description="Repaint a picture, then its result, several times.")
    @shows(Loopback, OPTIONS, MODELS, STYLE)
    async def loopback(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue a loopback job."""
        await self.bot.desk.ask(interaction, Loopback, given)
