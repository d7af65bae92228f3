"""What delivery needs of other parts of the bot."""

from __future__ import annotations

from typing import Protocol

import discord

from storage.moderation import ScreeningRecord
from storage.records import JobRecord

ControlRow = discord.ui.ActionRow[discord.ui.LayoutView]
"""Buttons side by side, or one select."""


class ResultScreener(Protocol):
    """Who decides what may be shown of a result."""

    async def screen(self, record: JobRecord) -> ScreeningRecord:
        """Decide, or remember what was decided."""
        ...

    async def may_preview(self, record: JobRecord) -> bool:
        """Whether an unfinished picture may be shown."""
        ...


class JobViews(Protocol):
    """Which controls stand under a job's messages."""

    def rows_for_waiting(self, record: JobRecord, /) -> list[ControlRow]:
        """Return those of a job that waits or runs."""
        ...

    def view_for_refused(self, record: JobRecord, /) -> discord.ui.View:
        """Return the ways out of a job that could not be done as asked."""
        ...

    def rows_for_hidden_reason(self, record: JobRecord, /) -> list[ControlRow]:
        """Return those of a card that does not say why."""
        ...

    def rows_for_ended(self, record: JobRecord, /) -> list[ControlRow]:
        """Return those of a job that ended."""
        ...

    def rows_for_image(self, record: JobRecord, number: int, /) -> list[ControlRow]:
        """Return those of one picture of a batch, counted from 1."""
        ...
