"""The button that reports a result, and the two with which a moderator decides."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot import messages
from bot.errors import NotAllowed
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import LocalisedModal, handle_errors
from bot.services import services_of
from bot.views.base import JOB_ID_PATTERN, JobButton, manages_channel_of
from storage.moderation import ModerationCase
from storage.records import JobRecord

MAX_REASON_CHARACTERS = 300  # characters
FORM_TIMEOUT_SECONDS = 3600.0  # seconds until a form that was never sent is forgotten
CASE_NUMBER_PATTERN = r"(?P<case>[0-9]{1,18})"


class ReportModal(LocalisedModal):
    """Ask why a result is reported."""

    def __init__(self, record: JobRecord) -> None:
        super().__init__(title=translate("Report this result"), timeout=FORM_TIMEOUT_SECONDS)
        self._record = record
        self.reason: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="reason",
            style=discord.TextStyle.paragraph,
            required=False,
            max_length=MAX_REASON_CHARACTERS,
        )
        label = translate("Why? (may stay empty)")
        self.add_item(discord.ui.Label(text=label, component=self.reason))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Open the case and say so to the member alone."""
        by, reason = str(interaction.user.id), self.reason.value.strip()
        is_new = await services_of(interaction).cases.report_result(self._record, by, reason)
        words = (
            translate("Thank you. The moderators of this server find it with `/moderation list`.")
            if is_new
            else translate("You have reported this result already.")
        )
        await interaction.response.send_message(words, ephemeral=True)


class ReportButton(JobButton, template=rf"easel:report:{JOB_ID_PATTERN}"):
    """Point a result out to the moderators; anyone may."""

    verb = "report"
    label = gettext_noop("Report")
    emoji = "🚩"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Ask why."""
        if interaction.guild_id is None or record.guild != str(interaction.guild_id):
            raise NotAllowed("Reports go to the moderators of the server a result was made on.")
        await interaction.response.send_modal(ReportModal(record))


async def find_managed_case(
    interaction: discord.Interaction[Any], number: int
) -> tuple[ModerationCase, JobRecord]:
    """Return an open case of the server with its job, to who moderates where the job is shown.

    Raises:
        CaseNotFound: it was decided meanwhile, or never was.
        NotAllowed: they may not manage messages there.
    """
    cases = services_of(interaction).cases
    open_case, record = await cases.find_case(str(interaction.guild_id), number)
    if not manages_channel_of(interaction, record):
        raise NotAllowed(
            "Only who may manage messages in the channel of a result decides about its case."
        )
    return open_case, record


class CaseButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"easel:none:{CASE_NUMBER_PATTERN}"
):
    """A button under a case; only those who manage messages there may press it."""

    verb: ClassVar[str]
    label: ClassVar[str]
    style: ClassVar[discord.ButtonStyle]

    def __init__(self, number: int | str) -> None:
        super().__init__(
            discord.ui.Button(
                label=translate(self.label),
                style=self.style,
                custom_id=f"easel:{self.verb}:{number}",
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
        async with handle_errors(interaction):
            await find_managed_case(interaction, self.number)
            await interaction.response.defer()
            words = await self.on_decision(interaction)
            await interaction.edit_original_response(content=words, attachments=[], view=None)

    async def on_decision(self, interaction: discord.Interaction[Any]) -> str:
        """Carry it out and return what to say."""
        raise NotAllowed


class ReleaseButton(CaseButton, template=rf"easel:release:{CASE_NUMBER_PATTERN}"):
    """Let the result be seen."""

    verb, label, style = "release", gettext_noop("Release"), discord.ButtonStyle.success

    async def on_decision(self, interaction: discord.Interaction[Any]) -> str:
        """Release it."""
        await find_managed_case(interaction, self.number)
        guild, actor = str(interaction.guild_id), str(interaction.user.id)
        record = await services_of(interaction).cases.release_result(guild, self.number, actor)
        return messages.released_message(record)


class RemoveButton(CaseButton, template=rf"easel:remove:{CASE_NUMBER_PATTERN}"):
    """Take the result away."""

    verb, label, style = "remove", gettext_noop("Delete"), discord.ButtonStyle.danger

    async def on_decision(self, interaction: discord.Interaction[Any]) -> str:
        """Delete it."""
        await find_managed_case(interaction, self.number)
        guild, actor = str(interaction.guild_id), str(interaction.user.id)
        record = await services_of(interaction).cases.delete_result(guild, self.number, actor)
        return messages.deleted_message(record)


def view_for_case(number: int) -> discord.ui.View:
    """Buttons under one case."""
    view = discord.ui.View(timeout=None)
    view.add_item(ReleaseButton(number))
    view.add_item(RemoveButton(number))
    return view
