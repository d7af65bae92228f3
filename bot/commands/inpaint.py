"""`/inpaint`: repaint the masked part of a picture."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import (
    MORE_OPTION,
    OPTION_AUTOCOMPLETES,
    STYLE_OPTION,
    EaselCog,
    autocomplete_more,
)
from bot.requests.options import with_job_options
from inference.api.jobs import InpaintJob, PreviewJob

INPAINT_OPTIONS = (
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
    "control_kind",
    "control_model",
)


class InpaintCog(EaselCog):
    """/inpaint."""

    @app_commands.command(description="Repaint a part of a picture: attach a mask, or say where.")
    @with_job_options(
        InpaintJob,
        INPAINT_OPTIONS,
        OPTION_AUTOCOMPLETES | {"more": autocomplete_more(InpaintJob, INPAINT_OPTIONS)},
        STYLE_OPTION | MORE_OPTION,
    )
    async def inpaint(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an inpainting job; for a picture alone the grid, from which to choose where."""
        if not any(value for name, value in option_values.items() if name != "image"):
            await self.submit_command(interaction, PreviewJob, {**option_values, "show": "grid"})
            return
        await self.submit_command(interaction, InpaintJob, option_values)
