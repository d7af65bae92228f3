"""`/cancel`: call one of my jobs off, or all of them."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.commands.base import MAX_CHOICE, EaselCog
from bot.commands.queue import ACTIVE
from bot.errors import NothingToCancel, UserError
from bot.locales import say
from bot.sentences import Sentence, english
from bot.texts.made import STATES
from bot.views import client_of
from storage.records import JobRecord, JobState

ALL = "all"
EVERY = english("all of them")


async def my_jobs(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the member's own jobs that can be cancelled."""
    active = await client_of(interaction).jobs.list_for(
        str(interaction.user.id), states=ACTIVE, limit=24
    )
    found = [app_commands.Choice(name=_shown(job), value=job.id) for job in active]
    if len(active) > 1:
        found.append(app_commands.Choice(name=say(EVERY), value=ALL))
    return [choice for choice in found if current.casefold() in choice.name.casefold()]


class CancelCog(EaselCog):
    """Cancelling."""

    @app_commands.command(description="Cancel a job of yours that waits or runs.")
    @app_commands.describe(job="Which one; left out, the only one you have")
    @app_commands.autocomplete(job=my_jobs)
    async def cancel(
        self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 0, 100] = ""
    ) -> None:
        """Cancel one job or all."""
        chosen = await self._chosen(str(interaction.user.id), job.strip())
        cancelled = [
            await self.bot.dispatcher.cancel(record.id, record.owner, keep=True)
            for record in chosen
        ]
        lines = [
            texts.was_cancelled(record)
            if record.state is JobState.CANCELLED
            else texts.not_cancelled(record)
            for record in cancelled
        ]
        await interaction.response.send_message("\n".join(lines), ephemeral=True)

    async def _chosen(self, owner: str, wanted: str) -> list[JobRecord]:
        active = await self.bot.jobs.list_for(owner, states=ACTIVE, limit=25)
        if wanted and wanted != ALL:
            active = [record for record in active if record.id == wanted]
        if not active:
            raise NothingToCancel
        if not wanted and len(active) > 1:
            raise UserError(
                "You have {count} jobs. Pick one in the option **job**, or “{all}”.",
                count=len(active),
                all=Sentence(EVERY),
            )
        return active


def _shown(record: JobRecord) -> str:
    prompt = str(record.params.get("prompt") or "")
    state = say(STATES[record.state])
    return f"{texts.title(record.kind)} ({state}) …{record.id[-4:]} {prompt}"[:MAX_CHOICE].strip()
