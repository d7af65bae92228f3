"""`/imagine`: draw a picture from words alone."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, STYLE, EaselCog
from bot.options import shows
from inference.jobs import Imagine

OPTIONS = (
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "batch",
    "hires_scale",
    "hires_strength",
    "hires_steps",
    "hires_upscaler",
    "model",
    "schedule",
    "variation_seed",
    "variation_strength",
    "clip_skip",
    "emphasis",
    "rng",
)


class ImagineCog(EaselCog):
    """Text to image."""

    @app_commands.command(description="Draw a picture from words.")
    @shows(Imagine, OPTIONS, MODELS | {"hires_upscaler": MODELS["upscaler"]}, STYLE)
    async def imagine(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue a text-to-image job."""
        await self.bot.desk.ask(interaction, Imagine, given)
