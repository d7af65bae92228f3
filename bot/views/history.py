"""The select under `/history`: open one of my jobs again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import discord

from bot.answers import answering
from bot.locales import say
from bot.results import is_batch, pictures_of
from bot.texts.lineage import lineage, name_of
from bot.views.base import client_of, record_of, refuse_others
from storage.records import JobRecord

MAX_LABEL = 100  # characters of an option
CUSTOM_ID = "easel:history"


class PickJob(discord.ui.DynamicItem[discord.ui.Select[Any]], template=CUSTOM_ID):
    """One job of several."""

    def __init__(self, records: Sequence[JobRecord] = ()) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=CUSTOM_ID,
                placeholder=say("Show one again"),
                options=[
                    discord.SelectOption(label=_label(record), value=record.id)
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
        async with answering(interaction):
            record = await record_of(interaction, self.item.values[0])
            refuse_others(interaction, record)
            await show_job(interaction, record)


async def show_job(
    interaction: discord.Interaction[Any], record: JobRecord, number: int | None = None
) -> None:
    """Show a job, or one picture of it, to its owner alone: picture, buttons, family."""
    client = client_of(interaction)
    await interaction.response.defer(ephemeral=True, thinking=True)
    limit = interaction.filesize_limit
    if number is not None and is_batch(record):
        one = min(number, len(pictures_of(record)))
        outgoing = await client.delivery.compose_one(record, one, limit)
    else:
        outgoing = await client.delivery.compose(record, limit)
    await interaction.followup.send(
        outgoing.content, files=outgoing.files(), view=outgoing.view(), ephemeral=True
    )
    if tree := lineage(await client.jobs.family(record.id, record.owner), record.id):
        await interaction.followup.send(tree, ephemeral=True)


def _label(record: JobRecord) -> str:
    return name_of(record)[:MAX_LABEL]
