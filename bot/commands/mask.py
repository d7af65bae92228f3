"""`/mask`: choose where to repaint, and see it, before anything is painted."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, EaselCog
from bot.options import shows
from inference.jobs import Preview


class MaskCog(EaselCog):
    """Masks without a drawing tool."""

    mask = app_commands.Group(name="mask", description="Say where a picture is to be repainted.")

    @mask.command(description="Pick cells of a grid over your picture, then say what to paint.")
    @app_commands.describe(image="The picture to repaint a part of")
    async def grid(self, interaction: discord.Interaction[Any], image: discord.Attachment) -> None:
        """Queue a lettered grid."""
        await self.bot.desk.ask(interaction, Preview, {"image": image, "show": "grid"})

    @mask.command(description="Show what a mask, or words for one, would mark.")
    @shows(Preview, ("mask_shape", "mask_mode"), MODELS)
    async def preview(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue a preview of the mask."""
        await self.bot.desk.ask(interaction, Preview, given)
