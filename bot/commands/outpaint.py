"""`/outpaint`: continue a picture beyond its edges."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import MODELS, STYLE, EaselCog
from bot.options import shows
from bot.replies.grammar import OUTPAINT_STEP
from inference.jobs import Outpaint

OPTIONS = (
    "prompt",
    "negative_prompt",
    "preset",
    "left",
    "right",
    "up",
    "down",
    "method",
    "strength",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "batch",
    "model",
    "schedule",
    "masked_content",
    "mask_blur",
    "fall_off",
    "colour_variation",
)

SIDES = ("left", "right", "up", "down")
WHERE = (*SIDES, "preset")


class OutpaintCog(EaselCog):
    """Outpainting."""

    @app_commands.command(description="Continue a picture beyond its edges.")
    @shows(Outpaint, OPTIONS, MODELS, STYLE)
    async def outpaint(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Queue an outpainting job; on all sides, as a reply does it, where none is named."""
        if all(given[name] is None for name in WHERE):
            given |= dict.fromkeys(SIDES, OUTPAINT_STEP)
        await self.bot.desk.ask(interaction, Outpaint, given)
