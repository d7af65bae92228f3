"""`/queue`: where my jobs are, how busy it is, and what could not be shown to me."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import policy, texts, views
from bot.commands.base import EaselCog
from bot.locales import say
from bot.requests import InteractionRequest
from storage.records import JobState

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
LISTED = 10  # jobs of one member that fit into one message


class QueueCog(EaselCog):
    """The queue."""

    @app_commands.command(description="Show your jobs, how busy Easel is, and your outbox.")
    async def queue(self, interaction: discord.Interaction[Any]) -> None:
        """Describe the queue to the member alone."""
        jobs, owner = self.bot.jobs, str(interaction.user.id)
        active = await jobs.list_for(owner, states=ACTIVE, limit=LISTED)
        outbox = await jobs.undelivered(owner)
        lines = []
        for job in reversed(active):
            place = await jobs.place(job.id)
            ready = self.bot.dispatcher.forecast.ready(job, place)
            lines.append(texts.queue_line(job, place, ready))
        lines += [texts.queue_line(job, None) for job in outbox[:LISTED]]
        counts = await jobs.counts()
        workers = sum(worker.ready for worker in self.bot.service.workers)
        content = texts.queue(
            lines,
            counts[JobState.QUEUED],
            counts[JobState.RUNNING],
            workers,
            explain=any(job.state is JobState.QUEUED for job in active),
        )
        content += await self._quota(interaction)
        if outbox:
            await interaction.response.send_message(
                content, view=views.for_outbox(outbox[:LISTED]), ephemeral=True
            )
        else:
            await interaction.response.send_message(content, ephemeral=True)

    async def _quota(self, interaction: discord.Interaction[Any]) -> str:
        """Say how much GPU time the member has left on this server, where that is limited."""
        request, gate = InteractionRequest(interaction), self.bot.gate
        seconds = policy.quota_of(await gate.rules(request.guild), request.asker)
        left = texts.quota(seconds, await gate.uses(request.guild, request.owner))
        return "\n" + say("GPU time on this server: {left}", left=left) if left else ""
