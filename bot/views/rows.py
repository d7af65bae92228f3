"""Which buttons stand under which message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import discord

from bot.locales import say
from bot.results import is_batch, pictures_of, seam_of
from bot.texts import title
from bot.views.buttons import Again, Cancel, Delete, Show
from bot.views.cells import (
    Go,
    Grid,
    Invert,
    MarkBackground,
    MarkFace,
    MarkSubject,
    PickCells,
)
from bot.views.history import PickJob
from bot.views.moderation import Report
from bot.views.outpaint import Arrows
from bot.views.results import (
    Describe,
    Edit,
    Enlarge,
    Parameters,
    Single,
    UseAsPrompt,
    VaryStrong,
    VarySubtle,
)
from bot.views.seams import MendSeam
from storage.records import JobRecord, JobState

ROW = 5  # buttons that Discord puts beside one another
SHOWN = 20  # results offered at once, in 4 rows of 5


def for_waiting(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that waits or runs."""
    return _view([Cancel(record.id)])


def for_ended(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that ended."""
    job = record.id
    if record.kind == "preview" and record.state is not JobState.CANCELLED:
        return _view([*_marking(record), Delete(job)])
    if record.state is JobState.FAILED:
        return _view([Again(job, say("Try again")), Delete(job)])
    if is_batch(record):
        return _sheet(record)
    ends = [Delete(job), *_reported(record)]
    return _view([*_seeded(record), *_pictured(record), *_worded(record), *ends])


def for_picture(record: JobRecord, number: int) -> discord.ui.View:
    """Buttons of one picture of a batch, counted from 1."""
    ends = [Delete(record.id), *_reported(record)]
    return _view([*_varied(record, number), *_pictured(record, number), *ends])


def for_outbox(records: Iterable[JobRecord]) -> discord.ui.View:
    """One button for each result that could not be delivered."""
    return _view(
        Show(record.id, say("Show {name}", name=f"{title(record.kind)} …{record.id[-4:]}"))
        for record in list(records)[:SHOWN]
    )


def for_history(records: Sequence[JobRecord]) -> discord.ui.View:
    """One select over jobs that ended."""
    return _view([PickJob(records)])


def varies(record: JobRecord) -> bool:
    """Whether another seed would make another picture."""
    return "seed" in record.params and record.params.get("mode") != "enlarge"


def _marking(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Choose cells or a thing; go on from, turn round or change a mask."""
    shape = str(record.params["mask_shape"])
    is_mask = record.params["show"] == "mask" and record.state is JobState.DONE
    if is_mask:
        yield Go(record.id)
        yield Invert(record.id)
    if "mask" in record.inputs:
        return
    yield PickCells(record.id, shape)
    for thing in (MarkSubject, MarkBackground, MarkFace):
        button = thing(record.id)
        button.row = 2 if is_mask else 1
        if thing.thing != shape or not is_mask:
            yield button


def _sheet(record: JobRecord) -> discord.ui.View:
    """Buttons of a contact sheet: two rows, or two each, of U and V; then those of all pictures."""
    job, count = record.id, len(pictures_of(record))
    numbers = range(1, count + 1)
    wide = math.ceil(count / math.ceil(count / ROW))
    rows: list[list[discord.ui.Item[Any]]] = []
    for first in range(1, count + 1, wide):
        rows.append([Single(job, n, f"U{n}") for n in numbers[first - 1 :][:wide]])
    if _can_vary(record):
        for first in range(1, count + 1, wide):
            rows.append([VarySubtle(job, n, f"V{n}") for n in numbers[first - 1 :][:wide]])
    seeded = [Again(job), Edit(job)] if varies(record) else []
    rows.append([*seeded, Parameters(job), Delete(job), *_reported(record)])
    for number, row in enumerate(rows):
        for item in row:
            item.row = number
    return _view(item for row in rows for item in row)


def _seeded(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of what noise decides."""
    if varies(record):
        yield Again(record.id)
        yield from _varied(record)


def _varied(record: JobRecord, number: int | None = None) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of what is near a picture that noise decides."""
    if not varies(record):
        return
    if _can_vary(record):
        yield VarySubtle(record.id, number)
        yield VaryStrong(record.id, number)
    yield Edit(record.id, number)


def _can_vary(record: JobRecord) -> bool:
    return "variation_strength" in record.params and bool(pictures_of(record))


def _pictured(record: JobRecord, number: int | None = None) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a result with a picture."""
    if pictures_of(record):
        if seam_of(record):
            yield MendSeam(record.id, number)
        for button in (Enlarge, Grid, Arrows, Describe, Parameters):
            yield button(record.id, number)


def _reported(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Let a server's members point a result out to its moderators."""
    if record.guild is not None and pictures_of(record):
        yield Report(record.id)


def _worded(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a description."""
    if record.kind == "interrogate" and (record.result or {}).get("text"):
        yield UseAsPrompt(record.id)


def _view(items: Iterable[discord.ui.Item[Any]]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
