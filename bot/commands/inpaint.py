"""`/inpaint`: repaint the masked part of a picture."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, STYLE, EaselCog
from bot.options import shows
from inference.jobs import Inpaint, Preview

OPTIONS = (
    "prompt",
    "negative_prompt",
    "mask_shape",
    "mask_mode",
    "strength",
    "masked_content",
    "area",
    "padding",
    "mask_blur",
    "soft",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "width",
    "height",
    "batch",
    "model",
    "schedule",
    "mask_weight",
    "colour_correction",
    "resize_mode",
)


class InpaintCog(EaselCog):
    """Inpainting."""

    @app_commands.command(description="Repaint a part of a picture: attach a mask, or say where.")
    @shows(Inpaint, OPTIONS, MODELS, STYLE)
    async def inpaint(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue an inpainting job; for a picture alone the grid, from which to choose where."""
        if not any(value for name, value in given.items() if name != "image"):
            await self.bot.desk.ask(interaction, Preview, {**given, "show": "grid"})
            return
        await self.bot.desk.ask(interaction, Inpaint, given)
