"""`/queue`: where my jobs are, how busy it is, and what could not be shown to me."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import guilds, messages, views
from bot.commands.base import EaselCog
from bot.i18n import translate
from bot.requests.requester import InteractionRequest
from storage.records import JobState

ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
MAX_LISTED_JOBS = 10  # jobs of one member that fit into one message


class QueueCog(EaselCog):
    """/queue."""

    @app_commands.command(description="Show your jobs, how busy Easel is, and your outbox.")
    async def queue(self, interaction: discord.Interaction[Any]) -> None:
        """Describe the queue to the member alone."""
        jobs, owner = self.services.jobs, str(interaction.user.id)
        active = await jobs.reader.list_by_owner(owner, states=ACTIVE_STATES, limit=MAX_LISTED_JOBS)
        outbox = await jobs.deliveries.list_undelivered(owner)
        lines = []
        for job in reversed(active):
            place = await jobs.reader.queue_position(job.id)
            ready_range = self.services.dispatcher.eta.expected_ready(job, place)
            missing = self.services.dispatcher.missing_notice(job)
            lines.append(messages.queue_line(job, place, ready_range, missing))
        lines += [messages.queue_line(job, None) for job in outbox[:MAX_LISTED_JOBS]]
        counts = await jobs.reader.count_by_state()
        workers = sum(worker.ready for worker in self.services.workers.worker_statuses)
        content = messages.queue_overview(
            lines,
            counts[JobState.QUEUED],
            counts[JobState.RUNNING],
            workers,
            explain=any(job.state is JobState.QUEUED for job in active),
        )
        content += await self._quota_line(interaction)
        if outbox:
            await interaction.response.send_message(
                content, view=views.view_for_outbox(outbox[:MAX_LISTED_JOBS]), ephemeral=True
            )
        else:
            await interaction.response.send_message(content, ephemeral=True)

    async def _quota_line(self, interaction: discord.Interaction[Any]) -> str:
        """Say how much GPU time the member has left on this server, where that is limited."""
        context, policy = InteractionRequest(interaction).context, self.services.policy
        quota = guilds.quota_of(await policy.guild_settings(context.guild_id), context)
        remaining_text = messages.quota_message(quota, await policy.gpu_usage(context))
        return (
            "\n" + translate("GPU time on this server: {left}", left=remaining_text)
            if remaining_text
            else ""
        )
