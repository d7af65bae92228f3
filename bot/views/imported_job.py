"""Offer to run the job that another program's image file describes."""

from __future__ import annotations

from typing import Any

import discord

from bot import messages
from bot.i18n import translate
from bot.messages.error_replies import answer_error, start_interaction
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from inference.api.errors import JobError
from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import ImportedJob, job_from_info

VIEW_TIMEOUT_SECONDS = 840.0  # seconds: as long as the message that it stands under can be changed


class RunImportedView(discord.ui.View):
    """One button, for the one member who sees it."""

    def __init__(self, imported_job: ImportedJob) -> None:
        super().__init__(timeout=VIEW_TIMEOUT_SECONDS)
        self._imported_job = imported_job
        self.run_job.label = translate("Run it here")

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let its one member press it."""
        start_interaction(interaction)
        return True

    @discord.ui.button(emoji="▶️", style=discord.ButtonStyle.primary)
    async def run_job(self, interaction: discord.Interaction[Any], _button: Any) -> None:
        """Queue the job, for all to see."""
        await services_of(interaction).submitter.submit_job(
            InteractionRequest(interaction), self._imported_job.job, {}
        )

    async def on_error(
        self,
        interaction: discord.Interaction[Any],
        error: Exception,
        item: discord.ui.Item[Any],
        /,
    ) -> None:
        """Say why it cannot be run."""
        await answer_error(interaction, error)


async def offer_imported_job(
    interaction: discord.Interaction[Any], generation_info: GenerationInfo
) -> None:
    """Offer to run what a file tells, to the member alone, and name what will not be the same."""
    models = [
        m for worker in services_of(interaction).workers.worker_statuses for m in worker.models
    ]
    try:
        imported_job = job_from_info(generation_info, models)
    except JobError:
        return
    words = messages.imported_job_message(
        generation_info.tool, imported_job.job, imported_job.notes
    )
    await interaction.followup.send(words, view=RunImportedView(imported_job), ephemeral=True)
