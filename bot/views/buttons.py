"""The buttons under a job's message; the job's id is in their custom id, so they never expire."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import discord

from bot import policy, texts
from bot.answers import answer_error
from bot.errors import JobGone, NotYours
from inference.jobs import decode
from storage.errors import UnknownJob
from storage.records import JobRecord, JobState

if TYPE_CHECKING:
    from bot.client import Easel

JOB = r"(?P<job>[0-9a-z]{20})"


class JobButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"easel:none:{JOB}"):
    """A button that belongs to a job; pressing it calls `press` and answers what that raises."""

    verb: ClassVar[str]
    label: ClassVar[str]
    emoji: ClassVar[str | None] = None
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, job_id: str, label: str | None = None) -> None:
        super().__init__(
            discord.ui.Button(
                label=label or self.label,
                emoji=self.emoji,
                style=self.style,
                custom_id=f"easel:{self.verb}:{job_id}",
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id back from the button that was pressed."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Press, and answer what goes wrong."""
        try:
            await self.press(interaction, await self._record(interaction))
        except Exception as error:
            await answer_error(interaction, error)

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Do what the button says."""
        raise JobGone

    async def _record(self, interaction: discord.Interaction[Any]) -> JobRecord:
        try:
            return await client_of(interaction).jobs.get(self.job_id)
        except UnknownJob as error:
            raise JobGone from error


class Again(JobButton, template=rf"easel:again:{JOB}"):
    """The same job once more, with a new seed."""

    verb = "again"
    label = "Again"
    emoji = "🔁"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue the job anew, from the same pictures."""
        if not policy.may_use(str(interaction.user.id), record.owner):
            raise NotYours(record.owner, "Ask for one of your own with a command.")
        params = dict(record.params)
        if "seed" in params:
            params["seed"] = -1
        job = decode(record.kind, params)
        await client_of(interaction).desk.again(interaction, job, record)


class Delete(JobButton, template=rf"easel:delete:{JOB}"):
    """Take the message away."""

    verb = "delete"
    label = "Delete"
    emoji = "🗑️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Delete the message that the button is under."""
        manages = interaction.permissions.manage_messages and interaction.guild_id is not None
        if not policy.may_delete(str(interaction.user.id), record.owner, manages_messages=manages):
            raise NotYours(record.owner, "Only they and moderators may delete it.")
        await interaction.response.defer()
        await interaction.delete_original_response()


class Cancel(JobButton, template=rf"easel:cancel:{JOB}"):
    """Call a waiting or running job off."""

    verb = "cancel"
    label = "Cancel"
    emoji = "✖️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Cancel the job; its card then says so."""
        manages = interaction.permissions.manage_messages and interaction.guild_id is not None
        if not policy.may_cancel(str(interaction.user.id), record.owner, manages_messages=manages):
            raise NotYours(record.owner, "Only they and moderators may cancel it.")
        if record.state.is_terminal:
            await interaction.response.send_message(texts.ended(record), ephemeral=True)
            return
        await interaction.response.defer()
        after = await client_of(interaction).dispatcher.cancel(record.id, record.owner)
        if after.state is not JobState.CANCELLED:
            await interaction.followup.send(texts.ended(after), ephemeral=True)


class Show(JobButton, template=rf"easel:show:{JOB}"):
    """Show a result that could not be delivered."""

    verb = "show"
    label = "Show result"
    emoji = "📬"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver the result as the answer to this press."""
        if not policy.may_use(str(interaction.user.id), record.owner):
            raise NotYours(record.owner, "Only they can have it shown.")
        await client_of(interaction).desk.show(interaction, record)


BUTTONS: tuple[type[JobButton], ...] = (Again, Delete, Cancel, Show)


def client_of(interaction: discord.Interaction[Any]) -> Easel:
    """Return the bot that an interaction came to."""
    return cast("Easel", interaction.client)
