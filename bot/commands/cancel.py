"""`/cancel`: call one of my jobs off, or all of them."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import MAX_CHOICE_CHARS, EaselCog
from bot.commands.queue import ACTIVE_STATES
from bot.errors import NothingToCancel, UserError
from bot.i18n import translate, use_language
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.i18n.message import TranslatableMessage, gettext_noop
from bot.messages.job_status import STATE_LABELS
from bot.services import services_of
from bot.views.base import SHORT_ID_LENGTH
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
        if not active:
            raise NothingToCancel
        if job_id and not _means_all(job_id):
            short_id = job_id.strip("`").lstrip("…").strip()
            matches = [record for record in active if record.id.endswith(short_id)]
            if len(short_id) < SHORT_ID_LENGTH or not matches:
                raise UserError(
                    "No job of yours that waits or runs is called “{job}”. Pick one of the "
                    "offered, or “{all}”.",
                    job=job_id,
                    all=TranslatableMessage(ALL_JOBS_LABEL),
                )
            return matches[:1]
        if not job_id and len(active) > 1:
            raise UserError(
                "You have {count} jobs. Pick one in the option **job**, or “{all}”.",
                count=len(active),
                all=TranslatableMessage(ALL_JOBS_LABEL),
            )
        return active


def _means_all(job_text: str) -> bool:
    """Whether all jobs are meant: by the choice's value, or its words in any language."""
    words = {ALL_JOBS_VALUE, ALL_JOBS_LABEL}
    for language in LANGUAGES_BY_LOCALE.values():
        with use_language(language):
            words.add(translate(ALL_JOBS_LABEL))
    return job_text.strip("“”\"' ").casefold() in {word.casefold() for word in words}


def _job_label(record: JobRecord) -> str:
    prompt = str(record.params.get("prompt") or "")
    state = translate(STATE_LABELS[record.state])
    return f"{messages.job_title(record)} ({state}) …{record.id[-4:]} {prompt}"[
        :MAX_CHOICE_CHARS
    ].strip()
