"""`/imagine`: draw a picture from words alone."""

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
from inference.api.jobs import ImagineJob

IMAGINE_OPTIONS = (
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
    "control_kind",
    "control_model",
    "schedule",
    "variation_seed",
    "variation_strength",
    "clip_skip",
    "emphasis",
    "rng",
)


class ImagineCog(EaselCog):
    """/imagine: text to image."""

    @app_commands.command(description="Draw a picture from words.")
    @with_job_options(
        ImagineJob,
        IMAGINE_OPTIONS,
        OPTION_AUTOCOMPLETES
        | {
            "hires_upscaler": OPTION_AUTOCOMPLETES["upscaler"],
            "more": autocomplete_more(ImagineJob, IMAGINE_OPTIONS),
        },
        STYLE_OPTION | MORE_OPTION,
    )
    async def imagine(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue a text-to-image job."""
        await self.submit_command(interaction, ImagineJob, option_values)
