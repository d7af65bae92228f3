"""`/edit`: change a picture by an instruction, all of it or where a mask says."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import OPTION_AUTOCOMPLETES, EaselCog, autocomplete_models
from bot.requests.editing import (
    check_references,
    choose_edit_type,
    fill_edit_values,
    require_editing_model,
)
from bot.requests.job_check import list_ready_models
from bot.requests.options import with_job_options
from inference.api.jobs import InpaintJob

EDIT_OPTIONS = (
    "mask_shape",
    "mask_mode",
    "mask_blur",
    "image_guidance",
    "guidance",
    "strength",
    "steps",
    "sampler",
    "schedule",
    "seed",
    "batch",
    "model",
    "width",
    "height",
    "variation_seed",
    "variation_strength",
)
INSTRUCTION_OPTION = {"instruction": "What to change, as an order: make it night, add a hat"}


class EditCog(EaselCog):
    """/edit."""

    @app_commands.command(description="Change a picture by an instruction: make it night.")
    @with_job_options(
        InpaintJob,
        EDIT_OPTIONS,
        OPTION_AUTOCOMPLETES | {"model": autocomplete_models("diffusion", edits=True)},
        INSTRUCTION_OPTION,
        references=True,
    )
    async def edit(self, interaction: discord.Interaction[Any], /, **option_values: Any) -> None:
        """Queue an edit."""
        settings = await self.services.policy.guild_settings(interaction.guild_id)
        models = list_ready_models(self.services.workers)
        values = {**option_values, "prompt": option_values.get("instruction")}
        job_type = choose_edit_type(values)
        model = require_editing_model(models, settings)
        edit_values = fill_edit_values(job_type, values, model)
        check_references(models, edit_values)
        await self.submit_command(interaction, job_type, edit_values)
