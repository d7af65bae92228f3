"""`/cancel`: call one of my jobs off, or all of them."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import MAX_CHOICE_CHARS, EaselCog
from bot.commands.queue import ACTIVE_STATES
from bot.errors import NothingToCancel, UserError
from bot.i18n import translate
from bot.i18n.message import TranslatableMessage, gettext_noop
from bot.messages.job_status import STATE_LABELS
from bot.services import services_of
from storage.records import JobRecord, JobState

ALL_JOBS_VALUE = "all"
ALL_JOBS_LABEL = gettext_noop("all of them")


async def cancellable_jobs(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the member's own jobs that can be cancelled."""
    active = await services_of(interaction).jobs.reader.list_by_owner(
        str(interaction.user.id), states=ACTIVE_STATES, limit=24
    )
    choices = [app_commands.Choice(name=_job_label(job), value=job.id) for job in active]
    if len(active) > 1:
        choices.append(app_commands.Choice(name=translate(ALL_JOBS_LABEL), value=ALL_JOBS_VALUE))
    return [choice for choice in choices if current.casefold() in choice.name.casefold()]


class CancelCog(EaselCog):
    """/cancel."""

    @app_commands.command(description="Cancel a job of yours that waits or runs.")
    @app_commands.describe(job="Which one; left out, the only one you have")
    @app_commands.autocomplete(job=cancellable_jobs)
    async def cancel(
        self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 0, 100] = ""
    ) -> None:
        """Cancel one job or all."""
        records = await self._jobs_to_cancel(str(interaction.user.id), job.strip())
        cancelled_records = [
            await self.services.dispatcher.cancel_job(record.id, record.owner, keep=True)
            for record in records
        ]
        lines = [
            messages.cancelled_message(record)
            if record.state is JobState.CANCELLED
            else messages.not_cancelled_message(record)
            for record in cancelled_records
        ]
        await interaction.response.send_message("\n".join(lines), ephemeral=True)

    async def _jobs_to_cancel(self, owner: str, job_id: str) -> list[JobRecord]:
        active = await self.services.jobs.reader.list_by_owner(
            owner, states=ACTIVE_STATES, limit=25
        )
        if job_id and job_id != ALL_JOBS_VALUE:
            active = [record for record in active if record.id == job_id]
        if not active:
            raise NothingToCancel
        if not job_id and len(active) > 1:
            raise UserError(
                "You have {count} jobs. Pick one in the option **job**, or “{all}”.",
                count=len(active),
                all=TranslatableMessage(ALL_JOBS_LABEL),
            )
        return active


def _job_label(record: JobRecord) -> str:
    prompt = str(record.params.get("prompt") or "")
    state = translate(STATE_LABELS[record.state])
    return f"{messages.kind_title(record.kind)} ({state}) …{record.id[-4:]} {prompt}"[
        :MAX_CHOICE_CHARS
    ].strip()
