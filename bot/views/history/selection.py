"""The select under `/history`: open one of my results again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import discord

from bot.i18n import translate
from bot.messages.error_replies import handle_errors
from bot.messages.lineage import job_label
from bot.views.base import fetch_record, require_owner
from bot.views.history.actions import show_job
from storage.records import JobRecord

MAX_LABEL_CHARACTERS = 100  # characters of an option
HISTORY_CUSTOM_ID = "easel:history"


class JobSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template=HISTORY_CUSTOM_ID):
    """One result of a page."""

    def __init__(self, records: Sequence[JobRecord] = ()) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=HISTORY_CUSTOM_ID,
                placeholder=translate("Pick one"),
                options=[
                    discord.SelectOption(label=_select_label(record, place), value=record.id)
                    for place, record in enumerate(records, start=1)
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


def _select_label(record: JobRecord, place: int) -> str:
    return f"{place} · {job_label(record)}"[:MAX_LABEL_CHARACTERS]
