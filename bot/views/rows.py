"""Which buttons stand under which message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import discord

from bot.views.buttons import Again, Cancel, Delete, Show
from bot.views.cells import Go, Grid, Invert, PickCells
from bot.views.history import PickJob
from bot.views.results import (
    Describe,
    Edit,
    Enlarge,
    Parameters,
    UseAsPrompt,
    VaryStrong,
    VarySubtle,
    pictures_of,
)
from storage.records import JobRecord, JobState

SHOWN = 20  # results offered at once, in 4 rows of 5


def for_waiting(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that waits or runs."""
    return _view([Cancel(record.id)])


def for_ended(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that ended."""
    job = record.id
    if record.kind == "preview" and record.state is JobState.DONE:
        return _view([*_marking(record), Delete(job)])
    if record.state is JobState.FAILED:
        return _view([Again(job, "Try again"), Delete(job)])
    return _view([*_seeded(record), *_pictured(record), *_worded(record), Delete(job)])


def for_outbox(records: Iterable[JobRecord]) -> discord.ui.View:
    """One button for each result that could not be delivered."""
    return _view(
        Show(record.id, f"Show {record.kind} …{record.id[-4:]}") for record in list(records)[:SHOWN]
    )


def for_history(records: Sequence[JobRecord]) -> discord.ui.View:
    """One select over jobs that ended."""
    return _view([PickJob(records)])


def varies(record: JobRecord) -> bool:
    """Whether another seed would make another picture."""
    return "seed" in record.params and record.params.get("mode") != "enlarge"


def _marking(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Choose cells on a grid; go on from, turn round or change a mask."""
    if record.params["show"] == "grid":
        yield PickCells(record.id)
        return
    yield Go(record.id)
    yield Invert(record.id)
    if "mask" not in record.inputs:
        yield PickCells(record.id, str(record.params["mask_shape"]))


def _seeded(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of what noise decides."""
    if not varies(record):
        return
    yield Again(record.id)
    if "variation_strength" in record.params and pictures_of(record):
        yield VarySubtle(record.id)
        yield VaryStrong(record.id)
    yield Edit(record.id)


def _pictured(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a result with a picture."""
    if pictures_of(record):
        yield Enlarge(record.id)
        yield Grid(record.id)
        yield Describe(record.id)
        yield Parameters(record.id)


def _worded(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a description."""
    if record.kind == "interrogate" and (record.result or {}).get("text"):
        yield UseAsPrompt(record.id)


def _view(items: Iterable[discord.ui.Item[Any]]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
