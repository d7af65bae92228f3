"""`/mask`: choose where to repaint, and see it, before anything is painted."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import OPTION_AUTOCOMPLETES, EaselCog
from bot.requests.options import with_job_options
from inference.api.jobs import PreviewJob


class MaskCog(EaselCog):
    """/mask."""

    mask = app_commands.Group(name="mask", description="Say where a picture is to be repainted.")

    @mask.command(description="Pick cells of a grid over your picture, then say what to paint.")
    @app_commands.describe(image="The picture to repaint a part of")
    async def grid(self, interaction: discord.Interaction[Any], image: discord.Attachment) -> None:
        """Queue a lettered grid."""
        await self.submit_command(interaction, PreviewJob, {"image": image, "show": "grid"})

    @mask.command(description="Show what a mask, or words for one, would mark.")
    @with_job_options(PreviewJob, ("mask_shape", "mask_mode"), OPTION_AUTOCOMPLETES)
    async def preview(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue a preview of the mask."""
        await self.submit_command(interaction, PreviewJob, option_values)
