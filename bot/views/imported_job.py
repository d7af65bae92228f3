"""Offer to run the job that another program's image file describes."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Protocol

import discord

from bot import messages
from bot.i18n import translate
from bot.messages.error_replies import answer_error, start_interaction
from bot.requests.image_sources import AttachmentSource, ImageSource
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.forms import FormValues, JobModal
from inference.api.errors import JobError
from inference.api.infotext.job_values import guess_job_type
from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import ImportedJob, job_from_info
from inference.api.jobs import ControlledJob, Job
from inference.api.jobs.control import CONTROL_IMAGE

VIEW_TIMEOUT_SECONDS = 840.0  # seconds: as long as the message that it stands under can be changed
#: What is asked for again where a job needs more pictures than its file holds.
FORM_OPTIONS = ("mask_shape", "strength", "steps")


class SubmitImageJob(Protocol):
    """Queues a job on the message's picture, other pictures in its place or besides."""

    def __call__(
        self, interaction: discord.Interaction[Any], job: Job, **extra_sources: ImageSource
    ) -> Awaitable[None]:
        """Queue it."""
        ...


class RunImportedView(discord.ui.View):
    """One button, for the one member who sees it."""

    def __init__(self, imported_job: ImportedJob, submit_image_job: SubmitImageJob) -> None:
        super().__init__(timeout=VIEW_TIMEOUT_SECONDS)
        self._imported_job = imported_job
        self._submit_image_job = submit_image_job
        self.run_job.label = translate("Run it here")

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let its one member press it."""
        start_interaction(interaction)
        return True

    @discord.ui.button(emoji="▶️", style=discord.ButtonStyle.primary)
    async def run_job(self, interaction: discord.Interaction[Any], _button: Any) -> None:
        """Queue the job, for all to see; one that works on pictures asks for them first."""
        job = self._imported_job.job
        if _asked_images(job):
            await interaction.response.send_modal(self._build_form(job))
            return
        await services_of(interaction).submitter.submit_job(
            InteractionRequest(interaction), job, {}
        )

    def _build_form(self, job: Job) -> JobModal:
        """Ask for what the file does not hold: the picture worked on, and the mask."""

        async def submit_form(answer: discord.Interaction[Any], form_values: FormValues) -> None:
            images = {name: AttachmentSource(file) for name, file in form_values.files.items()}
            new_job = replace(job, **form_values.values)
            if job.required_images:
                await self._submit_image_job(answer, new_job, **images)
                return
            request = InteractionRequest(answer)
            await services_of(answer).submitter.submit_job(request, new_job, images)

        return JobModal(
            translate("Run it here"),
            type(job),
            FORM_OPTIONS,
            submit_form,
            initial_values=job.to_params(),
            files=_asked_images(job),
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


def _asked_images(job: Job) -> tuple[str, ...]:
    """Name the pictures that a job cannot run without, and the mask."""
    optional_images = [name for name in job.optional_images if name != CONTROL_IMAGE]
    is_held = isinstance(job, ControlledJob) and job.wants_control
    if is_held and not job.required_images:
        optional_images.append(CONTROL_IMAGE)
    return (*job.required_images, *optional_images)


async def offer_imported_job(
    interaction: discord.Interaction[Any],
    generation_info: GenerationInfo,
    submit_image_job: SubmitImageJob,
) -> None:
    """Offer to run what a file tells, to the member alone, and name what will not be the same."""
    if generation_info.is_unread:
        words = translate(
            "The file holds a {tool} graph that cannot be followed: it has no sampler that is "
            "known here.",
            tool=generation_info.tool,
        )
        await interaction.followup.send(words, ephemeral=True)
        return
    models = [
        m for worker in services_of(interaction).workers.worker_statuses for m in worker.models
    ]
    try:
        imported_job = job_from_info(
            generation_info, models, job_type=guess_job_type(generation_info.values)
        )
    except JobError:
        return
    is_own = str(generation_info.values.get("Version", "")).startswith("Easel")
    words = messages.imported_job_message(
        "Easel" if is_own else generation_info.tool, imported_job.job, imported_job.notes
    )
    view = RunImportedView(imported_job, submit_image_job)
    await interaction.followup.send(words, view=view, ephemeral=True)
