"""Which buttons stand under which message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import discord

from bot.views.buttons import Again, Cancel, Delete, Show
from storage.records import JobRecord, JobState

ROW_LENGTH = 5  # buttons Discord allows in one row
SHOWN = 20  # results offered at once, in 4 rows


def for_waiting(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that waits or runs."""
    return _view([Cancel(record.id)])


def for_ended(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that ended."""
    buttons: list[discord.ui.Item[Any]] = []
    if record.state is JobState.FAILED:
        buttons.append(Again(record.id, "Try again"))
    elif varies(record):
        buttons.append(Again(record.id))
    return _view([*buttons, Delete(record.id)])


def for_outbox(records: Iterable[JobRecord]) -> discord.ui.View:
    """One button for each result that could not be delivered."""
    return _view(
        Show(record.id, f"Show {record.kind} …{record.id[-4:]}") for record in list(records)[:SHOWN]
    )


def varies(record: JobRecord) -> bool:
    """Whether another seed would make another picture."""
    return "seed" in record.params and record.params.get("mode") != "enlarge"


def _view(items: Iterable[discord.ui.Item[Any]]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
