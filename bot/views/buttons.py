"""The buttons of every job: once more, take away, call off, show."""

from __future__ import annotations

from typing import Any

import discord

from bot import guilds, messages
from bot.errors import NotJobOwner
from bot.i18n.message import gettext_noop
from bot.requests.requester import InteractionRequest
from bot.views.base import JOB_ID_PATTERN, JobButton, client_of, require_owner
from bot.views.results import with_new_seed
from storage.records import JobRecord, JobState


class RerunButton(JobButton, template=rf"easel:again:{JOB_ID_PATTERN}"):
    """The same job once more, with a new seed."""

    verb = "again"
    label = gettext_noop("Again")
    emoji = "🔁"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue the job anew, from the same pictures."""
        require_owner(interaction, record)
        request = InteractionRequest(interaction)
        await client_of(interaction).desk.submit_rerun(request, with_new_seed(record), record)


class DeleteButton(JobButton, template=rf"easel:delete:{JOB_ID_PATTERN}"):
    """Take the message away."""

    verb = "delete"
    label = gettext_noop("Delete")
    emoji = "🗑️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Delete the message that the button is under."""
        if not guilds.may_delete(
            str(interaction.user.id),
            record.owner,
            manages_messages=_can_manage_messages(interaction),
        ):
            raise NotJobOwner(record.owner, "Only they and moderators may delete it.")
        await interaction.response.defer()
        await interaction.delete_original_response()


class CancelButton(JobButton, template=rf"easel:cancel:{JOB_ID_PATTERN}"):
    """Call a waiting or running job off."""

    verb = "cancel"
    label = gettext_noop("Cancel")
    emoji = "✖️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Cancel the job; its card then says so."""
        if not guilds.may_cancel(
            str(interaction.user.id),
            record.owner,
            manages_messages=_can_manage_messages(interaction),
        ):
            raise NotJobOwner(record.owner, "Only they and moderators may cancel it.")
        if record.state.is_terminal:
            await interaction.response.send_message(
                messages.not_cancelled_message(record), ephemeral=True
            )
            return
        await interaction.response.defer()
        is_owner = str(interaction.user.id) == record.owner
        updated_record = await client_of(interaction).dispatcher.cancel_job(
            record.id, record.owner, keep=is_owner
        )
        if updated_record.state is not JobState.CANCELLED:
            await interaction.followup.send(
                messages.not_cancelled_message(updated_record), ephemeral=True
            )


class RedeliverButton(JobButton, template=rf"easel:show:{JOB_ID_PATTERN}"):
    """Show a result that could not be delivered."""

    verb = "show"
    label = gettext_noop("Show result")
    emoji = "📬"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver the result as the answer to this press."""
        require_owner(interaction, record, gettext_noop("Only they can have it shown."))
        await client_of(interaction).desk.redeliver_result(interaction, record)


def _can_manage_messages(interaction: discord.Interaction[Any]) -> bool:
    return interaction.permissions.manage_messages and interaction.guild_id is not None
