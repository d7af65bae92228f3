"""The select under `/history`: open one of my jobs again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import discord

from bot.i18n import translate
from bot.messages.error_replies import handle_errors
from bot.messages.lineage import job_label, lineage_tree
from bot.requests.image_sources import is_batch, result_images
from bot.services import services_of
from bot.views.base import fetch_record, require_owner
from storage.records import JobRecord

MAX_LABEL_CHARACTERS = 100  # characters of an option
HISTORY_CUSTOM_ID = "easel:history"


class JobSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template=HISTORY_CUSTOM_ID):
    """One job of several."""

    def __init__(self, records: Sequence[JobRecord] = ()) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=HISTORY_CUSTOM_ID,
                placeholder=translate("Show one again"),
                options=[
                    discord.SelectOption(label=_select_label(record), value=record.id)
                    for record in records
                ],
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Stand in for the select that was sent."""
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Show the job to its owner alone, with its buttons."""
        async with handle_errors(interaction):
            record = await fetch_record(interaction, self.item.values[0])
            require_owner(interaction, record)
            await show_job(interaction, record)


async def show_job(
    interaction: discord.Interaction[Any], record: JobRecord, number: int | None = None
) -> None:
    """Show a job, or one picture of it, to its owner alone: picture, buttons, family."""
    services = services_of(interaction)
    await interaction.response.defer(ephemeral=True, thinking=True)
    limit = interaction.filesize_limit
    if number is not None and is_batch(record):
        image_number = min(number, len(result_images(record)))
        outgoing = await services.message_builder.build_image_message(record, image_number, limit)
    else:
        outgoing = await services.message_builder.build_message(record, limit)
    await interaction.followup.send(
        files=outgoing.discord_files(),
        view=outgoing.layout(),
        ephemeral=True,
    )
    if tree := lineage_tree(
        await services.jobs.reader.list_lineage(record.id, record.owner), record.id
    ):
        await interaction.followup.send(tree, ephemeral=True)


def _select_label(record: JobRecord) -> str:
    return job_label(record)[:MAX_LABEL_CHARACTERS]
