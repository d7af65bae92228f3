"""What `/history` offers under the result that was picked, beside the result's own buttons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord

from bot.delivery.message_builder import ResultMessage
from bot.delivery.protocols import ControlRow
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.lineage import lineage_tree
from bot.requests.image_sources import is_batch, result_images
from bot.requests.reply_target import ReplyTarget
from bot.services import services_of
from bot.views.base import JOB_ID_PATTERN, NumberedButton, require_owner
from bot.views.results import post_result
from storage.records import DeliveryState, JobRecord


class ContinueHereButton(
    NumberedButton, template=rf"easel:continue(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """The result as a fresh card in this channel, with all its buttons."""

    verb = "continue"
    label = gettext_noop("Continue here")
    emoji = "📌"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Post it, for all who see the channel."""
        require_owner(interaction, record)
        await post_result(interaction, record, self.number)


class StarButton(NumberedButton, template=rf"easel:star(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Put a star on the result."""

    verb = "star"
    label = gettext_noop("Star")
    emoji = "⭐"
    is_starred = True

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Note it, and show the message with the other button."""
        require_owner(interaction, record)
        await interaction.response.defer()
        retention = services_of(interaction).jobs.retention
        await retention.set_star(record.id, is_starred=self.is_starred)
        outgoing = await _build_picked(interaction, record, self.number)
        await interaction.edit_original_response(
            attachments=outgoing.discord_files(), view=outgoing.layout()
        )


class UnstarButton(StarButton, template=rf"easel:unstar(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Take the star off."""

    verb = "unstar"
    label = gettext_noop("Take the star off")
    is_starred = False


async def show_job(
    interaction: discord.Interaction[Any], record: JobRecord, number: int | None = None
) -> None:
    """Show a job, or one picture of it, to its owner alone: picture, buttons, family."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    outgoing = await _build_picked(interaction, record, number)
    await interaction.followup.send(
        files=outgoing.discord_files(), view=outgoing.layout(), ephemeral=True
    )
    reader = services_of(interaction).jobs.reader
    if tree := lineage_tree(await reader.list_lineage(record.id, record.owner), record.id):
        await interaction.followup.send(tree, ephemeral=True)


async def _build_picked(
    interaction: discord.Interaction[Any], record: JobRecord, number: int | None
) -> ResultMessage:
    """Make the message of a job, with a row more than its card has."""
    builder, limit = services_of(interaction).message_builder, interaction.filesize_limit
    if number is not None and is_batch(record):
        number = min(number, len(result_images(record)))
        outgoing = await builder.build_image_message(record, number, limit)
    else:
        number = None
        outgoing = await builder.build_message(record, limit)
    if not (record.result or {}):
        return outgoing

    is_starred = bool(await services_of(interaction).jobs.reader.list_starred([record.id]))

    def list_rows() -> list[ControlRow]:
        return [*outgoing.control_rows(), _make_row(record, number, is_starred=is_starred)]

    return replace(outgoing, control_rows=list_rows)


def _make_row(record: JobRecord, number: int | None, *, is_starred: bool) -> ControlRow:
    row: ControlRow = discord.ui.ActionRow()
    row.add_item((UnstarButton if is_starred else StarButton)(record.id, number))
    row.add_item(ContinueHereButton(record.id, number))
    if url := _message_url(record):
        row.add_item(discord.ui.Button(label=translate("Open the message"), emoji="🔗", url=url))
    return row


def _message_url(record: JobRecord) -> str:
    """Link to the message that showed a result first; empty where there is none to be seen."""
    target = ReplyTarget.from_json(record.reply_to)
    is_seen = record.delivery is DeliveryState.SENT and bool(record.message)
    if target is None or target.private or not is_seen:
        return ""
    return target.message_url(str(record.message))
