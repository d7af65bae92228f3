"""Which buttons stand under which message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import discord

from bot.i18n import translate
from bot.messages import job_title
from bot.messages.failures import is_correctable_failure
from bot.requests.image_sources import is_batch, result_images, seam_mask_key
from bot.requests.job_check import can_mark, list_ready_models
from bot.views.base import (
    CancelButton,
    DeleteButton,
    JobButton,
    RedeliverButton,
    RerunButton,
    ShowReasonButton,
)
from bot.views.drawing import DrawMaskButton
from bot.views.history import JobSelect
from bot.views.mask_grid import (
    CellSelect,
    InvertMaskButton,
    MaskGridButton,
    RepaintMaskButton,
    SegmentBackgroundButton,
    SegmentFaceButton,
    SegmentSubjectButton,
)
from bot.views.moderation import ReportButton
from bot.views.outpaint import OutpaintMenuButton
from bot.views.results import (
    EditButton,
    InterrogateButton,
    RedrawButton,
    RepairSeamButton,
    ShowOneButton,
    ShowParametersButton,
    UpscaleButton,
    UseAsPromptButton,
    VaryStrongButton,
    VarySubtleButton,
)
from inference.api.messages import ModelInfo
from inference.api.workers import WorkerPool
from storage.records import JobRecord, JobState

BUTTONS_PER_ROW = 5  # buttons that Discord puts beside one another
NEEDED_KINDS: Mapping[type[JobButton], str] = MappingProxyType(
    {UpscaleButton: "upscaler", RedrawButton: "upscaler", InterrogateButton: "captioner"}
)
"""Kinds of models without which a button can do nothing."""
MAX_OUTBOX_BUTTONS = 20  # results offered at once, in 4 rows of 5


def view_for_waiting(record: JobRecord) -> discord.ui.View:
    """Buttons of a job that waits or runs."""
    return _build_view([CancelButton(record.id)])


class JobLayouts:
    """The views of jobs' messages, with what the ready workers can do and nothing else."""

    def __init__(self, workers: WorkerPool, *, has_page: bool = False) -> None:
        self._workers = workers
        #: Whether the host has a page to draw on.
        self._has_page = has_page

    def view_for_waiting(self, record: JobRecord) -> discord.ui.View:
        """Buttons of a job that waits or runs."""
        return view_for_waiting(record)

    def view_for_ended(self, record: JobRecord) -> discord.ui.View:
        """Buttons of a job that ended."""
        models = list_ready_models(self._workers)
        return view_for_ended(record, models, has_page=self._has_page)

    def view_for_image(self, record: JobRecord, number: int) -> discord.ui.View:
        """Buttons of one picture of a batch, counted from 1."""
        models = list_ready_models(self._workers)
        return view_for_image(record, number, models, has_page=self._has_page)

    def view_for_refused(self, record: JobRecord) -> discord.ui.View:
        """Buttons out of a job that could not be done as asked."""
        return _build_view(_correction_buttons(record))

    def view_for_hidden_reason(self, record: JobRecord) -> discord.ui.View:
        """Buttons of a card that does not say why."""
        return _build_view([ShowReasonButton(record.id), DeleteButton(record.id)])


def _correction_buttons(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Let what was asked be changed, or asked again where nothing is wrong with it."""
    if is_correctable_failure(record):
        yield EditButton(record.id)
    else:
        yield RerunButton(record.id, translate("Try again"))


def view_for_ended(
    record: JobRecord, models: Sequence[ModelInfo], *, has_page: bool = False
) -> discord.ui.View:
    """Buttons of a job that ended, of which some need networks that workers have."""
    job = record.id
    if record.state is JobState.FAILED:
        return _build_view([*_correction_buttons(record), DeleteButton(job)])
    if record.kind == "preview" and record.state is not JobState.CANCELLED:
        return _build_view([*_mask_items(record, models, has_page), DeleteButton(job)])
    if is_batch(record):
        return _contact_sheet_view(record)
    end_buttons = [DeleteButton(job), *_report_buttons(record)]
    return _build_view(
        [
            *_seed_buttons(record),
            *_image_buttons(record, models, has_page),
            *_description_buttons(record),
            *end_buttons,
        ]
    )


def view_for_image(
    record: JobRecord, number: int, models: Sequence[ModelInfo], *, has_page: bool = False
) -> discord.ui.View:
    """Buttons of one picture of a batch, counted from 1."""
    image_buttons = _image_buttons(record, models, has_page, number)
    end_buttons = [DeleteButton(record.id), *_report_buttons(record)]
    return _build_view([*_variation_buttons(record, number), *image_buttons, *end_buttons])


def view_for_outbox(records: Iterable[JobRecord]) -> discord.ui.View:
    """One button for each result that could not be delivered."""
    return _build_view(
        RedeliverButton(
            record.id, translate("Show {name}", name=f"{job_title(record)} …{record.id[-4:]}")
        )
        for record in list(records)[:MAX_OUTBOX_BUTTONS]
    )


def view_for_history(records: Sequence[JobRecord]) -> discord.ui.View:
    """One select over jobs that ended."""
    return _build_view([JobSelect(records)])


def can_reseed(record: JobRecord) -> bool:
    """Whether another seed would make another picture."""
    return "seed" in record.params and record.params.get("mode") != "enlarge"


def _mask_items(
    record: JobRecord, models: Sequence[ModelInfo], has_page: bool
) -> Iterable[discord.ui.Item[Any]]:
    """Choose cells or a thing; go on from, turn round or change a mask."""
    shape = str(record.params["mask_shape"])
    is_mask = record.params["show"] == "mask" and record.state is JobState.DONE
    if is_mask:
        yield RepaintMaskButton(record.id)
        yield InvertMaskButton(record.id)
    if "mask" in record.inputs:
        return
    yield CellSelect(record.id, shape)
    for button_type in (SegmentSubjectButton, SegmentBackgroundButton, SegmentFaceButton):
        button = button_type(record.id)
        button.row = 2 if is_mask else 1
        network = "face" if button_type.thing == "face" else "subject"
        if can_mark(models, network) and (button_type.thing != shape or not is_mask):
            yield button
    if has_page:
        draw_button = DrawMaskButton(record.id)
        draw_button.row = 2 if is_mask else 1
        yield draw_button


def _contact_sheet_view(record: JobRecord) -> discord.ui.View:
    """Buttons of a contact sheet: two rows, or two each, of U and V; then those of all pictures."""
    job, count = record.id, len(result_images(record))
    numbers = range(1, count + 1)
    row_width = math.ceil(count / math.ceil(count / BUTTONS_PER_ROW))
    rows: list[list[discord.ui.Item[Any]]] = []
    for first in range(1, count + 1, row_width):
        rows.append([ShowOneButton(job, n, f"U{n}") for n in numbers[first - 1 :][:row_width]])
    if _can_vary(record):
        for first in range(1, count + 1, row_width):
            rows.append(
                [VarySubtleButton(job, n, f"V{n}") for n in numbers[first - 1 :][:row_width]]
            )
    rerun_buttons = [RerunButton(job), EditButton(job)] if can_reseed(record) else []
    rows.append(
        [*rerun_buttons, ShowParametersButton(job), DeleteButton(job), *_report_buttons(record)]
    )
    for number, row in enumerate(rows):
        for item in row:
            item.row = number
    return _build_view(item for row in rows for item in row)


def _seed_buttons(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of what noise decides."""
    if can_reseed(record):
        yield RerunButton(record.id)
        yield from _variation_buttons(record)


def _variation_buttons(
    record: JobRecord, number: int | None = None
) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of what is near a picture that noise decides."""
    if not can_reseed(record):
        return
    if _can_vary(record):
        yield VarySubtleButton(record.id, number)
        yield VaryStrongButton(record.id, number)
    yield EditButton(record.id, number)


def _can_vary(record: JobRecord) -> bool:
    return "variation_strength" in record.params and bool(result_images(record))


def _image_buttons(
    record: JobRecord, models: Sequence[ModelInfo], has_page: bool, number: int | None = None
) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a result with a picture; all are there while no worker has told what it has."""
    kinds = {model.kind for model in models}
    if result_images(record):
        if seam_mask_key(record):
            yield RepairSeamButton(record.id, number)
        for button in (
            UpscaleButton,
            RedrawButton,
            MaskGridButton,
            *((DrawMaskButton,) if has_page else ()),
            OutpaintMenuButton,
            InterrogateButton,
            ShowParametersButton,
        ):
            if not kinds or NEEDED_KINDS.get(button, "") in ("", *kinds):
                yield button(record.id, number)


def _report_buttons(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Let a server's members point a result out to its moderators."""
    if record.guild is not None and result_images(record):
        yield ReportButton(record.id)


def _description_buttons(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Buttons of a description."""
    if record.kind == "interrogate" and (record.result or {}).get("text"):
        yield UseAsPromptButton(record.id)


def _build_view(items: Iterable[discord.ui.Item[Any]]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
