"""`/img2img`: repaint a picture as the prompt says."""

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
from inference.api.jobs import Img2ImgJob

IMG2IMG_OPTIONS = (
    "prompt",
    "negative_prompt",
    "strength",
    "steps",
    "guidance",
    "sampler",
    "seed",
    "width",
    "height",
    "resize_mode",
    "batch",
    "model",
    "control_kind",
    "control_model",
    "schedule",
    "variation_seed",
    "variation_strength",
    "clip_skip",
    "colour_correction",
    "exact_steps",
    "rng",
)


class Img2ImgCog(EaselCog):
    """/img2img: image to image."""

    @app_commands.command(description="Repaint a picture as your words say.")
    @with_job_options(
        Img2ImgJob,
        IMG2IMG_OPTIONS,
        OPTION_AUTOCOMPLETES | {"more": autocomplete_more(Img2ImgJob, IMG2IMG_OPTIONS)},
        STYLE_OPTION | MORE_OPTION,
    )
    async def img2img(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an image-to-image job."""
        await self.submit_command(interaction, Img2ImgJob, option_values)
