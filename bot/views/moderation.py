"""The button that reports a result, and the two with which a moderator decides."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot import texts
from bot.answers import Form, answering
from bot.errors import NotAllowed
from bot.locales import say
from bot.sentences import english
from bot.views.base import JOB, JobButton, client_of
from storage.records import JobRecord

MAX_REASON = 300  # characters
FORM_LIFE = 3600.0  # seconds until a form that was never sent is forgotten
CASE = r"(?P<case>[0-9]{1,18})"


class ReportForm(Form):
    """Asks why, once."""

    def __init__(self, record: JobRecord) -> None:
        super().__init__(title=say("Report this result"), timeout=FORM_LIFE)
        self._record = record
        self.reason: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="reason",
            style=discord.TextStyle.paragraph,
            required=False,
            max_length=MAX_REASON,
        )
        label = say("Why? (may stay empty)")
        self.add_item(discord.ui.Label(text=label, component=self.reason))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Open the case and say so to the member alone."""
        by, reason = str(interaction.user.id), self.reason.value.strip()
        is_new = await client_of(interaction).bench.report(self._record, by, reason)
        words = (
            say("Thank you. The moderators of this server find it with `/moderation list`.")
            if is_new
            else say("You have reported this result already.")
        )
        await interaction.response.send_message(words, ephemeral=True)


class Report(JobButton, template=rf"easel:report:{JOB}"):
    """Point a result out to the moderators; anyone may."""

    verb = "report"
    label = english("Report")
    emoji = "🚩"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Ask why."""
        if interaction.guild_id is None or record.guild != str(interaction.guild_id):
            raise NotAllowed("Reports go to the moderators of the server a result was made on.")
        await interaction.response.send_modal(ReportForm(record))


class CaseButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"easel:none:{CASE}"):
    """A button under a case; only those who manage messages there may press it."""

    verb: ClassVar[str]
    label: ClassVar[str]
    style: ClassVar[discord.ButtonStyle]

    def __init__(self, number: int | str) -> None:
        super().__init__(
            discord.ui.Button(
                label=say(self.label), style=self.style, custom_id=f"easel:{self.verb}:{number}"
            )
        )
        self.number = int(number)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the case's number back."""
        return cls(match["case"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Decide, say so, and leave no button to decide again."""
        async with answering(interaction):
            if not interaction.permissions.manage_messages:
                raise NotAllowed("Only who may manage messages here decides about cases.")
            await interaction.response.defer()
            words = await self.decide(interaction)
            await interaction.edit_original_response(content=words, attachments=[], view=None)

    async def decide(self, interaction: discord.Interaction[Any]) -> str:
        """Carry it out and return what to say."""
        raise NotAllowed


class Release(CaseButton, template=rf"easel:release:{CASE}"):
    """Let the result be seen."""

    verb, label, style = "release", english("Release"), discord.ButtonStyle.success

    async def decide(self, interaction: discord.Interaction[Any]) -> str:
        """Release it."""
        guild, actor = str(interaction.guild_id), str(interaction.user.id)
        record = await client_of(interaction).bench.release(guild, self.number, actor)
        return texts.released(record)


class Remove(CaseButton, template=rf"easel:remove:{CASE}"):
    """Take the result away."""

    verb, label, style = "remove", english("Delete"), discord.ButtonStyle.danger

    async def decide(self, interaction: discord.Interaction[Any]) -> str:
        """Delete it."""
        guild, actor = str(interaction.guild_id), str(interaction.user.id)
        record = await client_of(interaction).bench.delete(guild, self.number, actor)
        return texts.deleted(record)


def for_case(number: int) -> discord.ui.View:
    """Buttons under one case."""
    view = discord.ui.View(timeout=None)
    view.add_item(Release(number))
    view.add_item(Remove(number))
    return view
