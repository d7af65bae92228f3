"""The buttons of every job: once more, take away, call off, show."""

from __future__ import annotations

from typing import Any

import discord

from bot import policy, texts
from bot.errors import NotYours
from bot.requests import InteractionRequest
from bot.sentences import english
from bot.views.base import JOB, JobButton, client_of, refuse_others
from bot.views.results import repeated
from storage.records import JobRecord, JobState


class Again(JobButton, template=rf"easel:again:{JOB}"):
    """The same job once more, with a new seed."""

    verb = "again"
    label = english("Again")
    emoji = "🔁"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue the job anew, from the same pictures."""
        refuse_others(interaction, record)
        request = InteractionRequest(interaction)
        await client_of(interaction).desk.again(request, repeated(record), record)


class Delete(JobButton, template=rf"easel:delete:{JOB}"):
    """Take the message away."""

    verb = "delete"
    label = english("Delete")
    emoji = "🗑️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Delete the message that the button is under."""
        if not policy.may_delete(
            str(interaction.user.id), record.owner, manages_messages=_manages(interaction)
        ):
            raise NotYours(record.owner, "Only they and moderators may delete it.")
        await interaction.response.defer()
        await interaction.delete_original_response()


class Cancel(JobButton, template=rf"easel:cancel:{JOB}"):
    """Call a waiting or running job off."""

    verb = "cancel"
    label = english("Cancel")
    emoji = "✖️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Cancel the job; its card then says so."""
        if not policy.may_cancel(
            str(interaction.user.id), record.owner, manages_messages=_manages(interaction)
        ):
            raise NotYours(record.owner, "Only they and moderators may cancel it.")
        if record.state.is_terminal:
            await interaction.response.send_message(texts.not_cancelled(record), ephemeral=True)
            return
        await interaction.response.defer()
        own = str(interaction.user.id) == record.owner
        after = await client_of(interaction).dispatcher.cancel(record.id, record.owner, keep=own)
        if after.state is not JobState.CANCELLED:
            await interaction.followup.send(texts.not_cancelled(after), ephemeral=True)


class Show(JobButton, template=rf"easel:show:{JOB}"):
    """Show a result that could not be delivered."""

    verb = "show"
    label = english("Show result")
    emoji = "📬"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver the result as the answer to this press."""
        refuse_others(interaction, record, english("Only they can have it shown."))
        await client_of(interaction).desk.show(interaction, record)


def _manages(interaction: discord.Interaction[Any]) -> bool:
    return interaction.permissions.manage_messages and interaction.guild_id is not None
