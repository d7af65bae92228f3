"""Which controls stand under which message."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import discord

from bot.delivery.message_builder import is_enlarged
from bot.i18n import translate
from bot.messages import job_title
from bot.messages.error_replies import handle_errors
from bot.messages.failures import is_correctable_failure
from bot.requests.descriptions import TAGS, list_prompts, list_things
from bot.requests.editing import count_references
from bot.requests.image_sources import is_batch, result_images, seam_mask_key
from bot.requests.job_check import ANY_WORDS, TAGGER, can_mark, list_ready_models
from bot.views.base import (
    JOB_ID_PATTERN,
    CancelButton,
    DeleteButton,
    JobButton,
    NumberedButton,
    RedeliverButton,
    RerunButton,
    ShowReasonButton,
    fetch_record,
)
from bot.views.description.prompts import (
    CaptionPromptButton,
    MixedPromptButton,
    StylePromptButton,
    TagsPromptButton,
    ThingSelect,
)
from bot.views.drawing import DrawMaskButton
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
    CompareButton,
    EditButton,
    InstructButton,
    InterrogateButton,
    OriginalButton,
    RedrawButton,
    RepairSeamButton,
    RestoreButton,
    ShowOneButton,
    ShowParametersButton,
    UpscaleButton,
    UseAsPromptButton,
    VaryStrongButton,
    VarySubtleButton,
)
from inference.api.jobs import InterrogateJob
from inference.api.messages import FACE_RESTORER_KIND, ModelInfo
from inference.api.workers import WorkerPool
from storage.records import JobRecord, JobState

BUTTONS_PER_ROW = 5  # buttons that Discord puts beside one another
RESULT_ROW_BUTTONS = 4  # buttons side by side under a result; all others are in the select
NEEDED_KINDS: Mapping[type[JobButton], str] = MappingProxyType(
    {UpscaleButton: "upscaler", RedrawButton: "upscaler", InterrogateButton: "captioner"}
)
"""Kinds of models without which a button can do nothing."""
MAX_OUTBOX_BUTTONS = 20  # results offered at once, in 4 rows of 5

RESULT_BUTTONS: tuple[type[JobButton], ...] = (
    RepairSeamButton,
    UseAsPromptButton,
    RerunButton,
    VarySubtleButton,
    EditButton,
    DrawMaskButton,
    MaskGridButton,
    UpscaleButton,
    VaryStrongButton,
    RedrawButton,
    InstructButton,
    RestoreButton,
    OutpaintMenuButton,
    InterrogateButton,
    CompareButton,
    OriginalButton,
    ShowParametersButton,
    ReportButton,
    DeleteButton,
)
"""What can be done with a result, the most wanted first: the first four of those that apply stand
side by side, the rest in the select."""

BUTTON_TYPES = {button_type.verb: button_type for button_type in RESULT_BUTTONS}


class MoreSelect(
    discord.ui.DynamicItem[discord.ui.Select[Any]],
    template=rf"easel:more(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}",
):
    """Choosing from it does what the button of that name does."""

    def __init__(
        self,
        job_id: str,
        number: int | None = None,
        button_types: Sequence[type[JobButton]] = (),
    ) -> None:
        suffix = "" if number is None else f".{number}"
        super().__init__(
            discord.ui.Select(
                custom_id=f"easel:more{suffix}:{job_id}",
                placeholder=translate("More …"),
                min_values=0,  # what was chosen can be taken back, and so be chosen again
                options=[
                    discord.SelectOption(
                        label=translate(button_type.label),
                        emoji=button_type.emoji,
                        value=button_type.verb,
                    )
                    for button_type in button_types
                ],
            )
        )
        self.job_id, self.number = job_id, number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id, and the picture's number if it is about one."""
        return cls(match["job"], int(match["number"]) if match["number"] else None)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Press the button that was chosen."""
        async with handle_errors(interaction):
            button_type = BUTTON_TYPES.get((self.item.values or [""])[0])
            if button_type is None:
                await interaction.response.defer()
                return
            record = await fetch_record(interaction, self.job_id)
            await _make_button(button_type, self.job_id, self.number).on_click(interaction, record)


def _make_button(button_type: type[JobButton], job_id: str, number: int | None) -> JobButton:
    """Make a button of a job, or of one picture of its batch."""
    if issubclass(button_type, NumberedButton):
        return button_type(job_id, number)
    return button_type(job_id)


ControlRow = discord.ui.ActionRow[discord.ui.LayoutView]
Items = Sequence[discord.ui.Item[Any]]


class JobLayouts:
    """The controls of jobs' messages, with what the ready workers can do and nothing else."""

    def __init__(self, workers: WorkerPool, *, has_page: bool = False) -> None:
        self._workers = workers
        #: Whether the host has a page to draw on.
        self._has_page = has_page

    def rows_for_waiting(self, record: JobRecord) -> list[ControlRow]:
        """Return the controls of a job that waits or runs."""
        return _make_rows([[CancelButton(record.id)]])

    def rows_for_ended(self, record: JobRecord) -> list[ControlRow]:
        """Return those of a job that ended, of which some need networks that workers have."""
        models = list_ready_models(self._workers)
        return _make_rows(_ended_rows(record, models, self._has_page))

    def rows_for_image(self, record: JobRecord, number: int) -> list[ControlRow]:
        """Return those of one picture of a batch, counted from 1."""
        models = list_ready_models(self._workers)
        return _make_rows(_result_rows(record, models, self._has_page, number))

    def rows_for_hidden_reason(self, record: JobRecord) -> list[ControlRow]:
        """Return those of a card that does not say why."""
        return _make_rows([[ShowReasonButton(record.id), DeleteButton(record.id)]])

    def view_for_refused(self, record: JobRecord) -> discord.ui.View:
        """Buttons out of a job that could not be done as asked."""
        return _build_view(_correction_buttons(record))


def _make_rows(rows: Iterable[Items]) -> list[ControlRow]:
    return [discord.ui.ActionRow(*items) for items in rows if items]


def _correction_buttons(record: JobRecord) -> Iterable[discord.ui.Item[Any]]:
    """Let what was asked be changed, or asked again where nothing is wrong with it."""
    if is_correctable_failure(record):
        yield EditButton(record.id)
    else:
        yield RerunButton(record.id, translate("Try again"))


def _ended_rows(record: JobRecord, models: Sequence[ModelInfo], has_page: bool) -> list[Items]:
    if record.state is JobState.FAILED:
        return [[*_correction_buttons(record), DeleteButton(record.id)]]
    if record.kind == "preview" and record.state is not JobState.CANCELLED:
        return _mask_rows(record, models, has_page)
    if is_batch(record):
        return _batch_rows(record)
    rows = _result_rows(record, models, has_page)
    if record.kind == InterrogateJob.kind:
        rows = [*_description_rows(record, models), *rows]
    return rows


def _description_rows(record: JobRecord, models: Sequence[ModelInfo]) -> list[Items]:
    """Paint from the words in one tap; mark one of the things where a worker finds any by name."""
    job, prompts = record.id, list_prompts(record)
    has_tags = TAGS in prompts or any(model.kind == TAGGER for model in models)
    is_offered = {**dict.fromkeys(prompts, True), TAGS: bool(prompts) and has_tags}
    buttons = [
        button_type(job)
        for button_type in (
            CaptionPromptButton,
            StylePromptButton,
            TagsPromptButton,
            MixedPromptButton,
        )
        if is_offered.get(button_type.prompt_name)
    ]
    things = tuple(list_things(record)) if can_mark(models, ANY_WORDS) else ()
    return [buttons, [ThingSelect(job, things)] if things else []]


def _result_rows(
    record: JobRecord, models: Sequence[ModelInfo], has_page: bool, number: int | None = None
) -> list[Items]:
    """Four buttons side by side, and a select for the rest where there is more."""
    types = _list_applicable(record, models, has_page, number)
    if types[0] is RepairSeamButton and VarySubtleButton in types:
        types.remove(VarySubtleButton)  # beside the mending, it is the least wanted
        types.insert(RESULT_ROW_BUTTONS, VarySubtleButton)
    buttons = [
        _make_button(button_type, record.id, number) for button_type in types[:RESULT_ROW_BUTTONS]
    ]
    for button in buttons:
        if isinstance(button, VarySubtleButton):
            button.item.label = translate("Vary")
    if len(types) <= RESULT_ROW_BUTTONS:
        return [buttons]
    return [buttons, [MoreSelect(record.id, number, types[RESULT_ROW_BUTTONS:])]]


def _list_applicable(
    record: JobRecord, models: Sequence[ModelInfo], has_page: bool, number: int | None
) -> list[type[JobButton]]:
    """List what can be done with a result, or with one picture of it, the most wanted first."""
    images, kinds = result_images(record), {model.kind for model in models}
    has_image, has_noise = bool(images), can_reseed(record)
    can_vary = has_noise and has_image and "variation_strength" in record.params
    is_described = record.kind == "interrogate" and bool((record.result or {}).get("text"))
    conditions: Mapping[type[JobButton], bool] = {
        RepairSeamButton: has_image and bool(seam_mask_key(record)),
        UseAsPromptButton: is_described,
        RerunButton: has_noise and number is None,
        VarySubtleButton: can_vary,
        VaryStrongButton: can_vary,
        EditButton: has_noise,
        DrawMaskButton: has_image and has_page,
        CompareButton: has_image and "image" in record.inputs,
        OriginalButton: any(map(is_enlarged, images[(number or 1) - 1 :][:1])),
        InstructButton: has_image and any(map(count_references, models)),
        RestoreButton: has_image and FACE_RESTORER_KIND in kinds,
        ReportButton: (has_image or is_described) and record.guild is not None,
        DeleteButton: True,
    }
    return [
        button_type
        for button_type in RESULT_BUTTONS
        if conditions.get(button_type, has_image)
        and (not kinds or NEEDED_KINDS.get(button_type, "") in ("", *kinds))
    ]


def view_for_outbox(records: Iterable[JobRecord]) -> discord.ui.View:
    """One button for each result that could not be delivered."""
    return _build_view(
        RedeliverButton(
            record.id, translate("Show {name}", name=f"{job_title(record)} …{record.id[-4:]}")
        )
        for record in list(records)[:MAX_OUTBOX_BUTTONS]
    )


def can_reseed(record: JobRecord) -> bool:
    """Whether another seed would make another picture."""
    return "seed" in record.params and record.params.get("mode") != "enlarge"


def _mask_rows(record: JobRecord, models: Sequence[ModelInfo], has_page: bool) -> list[Items]:
    """Choose cells or a thing; go on from, turn round or change a mask."""
    job, shape = record.id, str(record.params["mask_shape"])
    is_mask = record.params["show"] == "mask" and record.state is JobState.DONE
    first_row: list[discord.ui.Item[Any]] = [DeleteButton(job)]
    if is_mask:
        first_row = [RepaintMaskButton(job), InvertMaskButton(job), *first_row]
    if "mask" in record.inputs:
        return [first_row]
    things: list[discord.ui.Item[Any]] = [
        button_type(job)
        for button_type in (SegmentSubjectButton, SegmentBackgroundButton, SegmentFaceButton)
        if can_mark(models, "face" if button_type.thing == "face" else "subject")
        and (button_type.thing != shape or not is_mask)
    ]
    things += [DrawMaskButton(job)] if has_page else []
    cells = [CellSelect(job, shape)]
    return [first_row, cells, things] if is_mask else [cells, [*things, *first_row]]


def _batch_rows(record: JobRecord) -> list[Items]:
    """Put U and V in two rows, or two each; then what is about all pictures."""
    job, count = record.id, len(result_images(record))
    numbers = range(1, count + 1)
    row_width = math.ceil(count / math.ceil(count / BUTTONS_PER_ROW))
    firsts = range(0, count, row_width)
    rows: list[Items] = [
        [ShowOneButton(job, n, f"U{n}") for n in numbers[first:][:row_width]] for first in firsts
    ]
    if "variation_strength" in record.params:
        rows += [
            [VarySubtleButton(job, n, f"V{n}") for n in numbers[first:][:row_width]]
            for first in firsts
        ]
    other_types: list[type[JobButton]] = [ShowParametersButton]
    other_types += [ReportButton, DeleteButton] if record.guild is not None else [DeleteButton]
    if not can_reseed(record):
        return [*rows, [_make_button(button_type, job, None) for button_type in other_types]]
    return [*rows, [RerunButton(job), EditButton(job)], [MoreSelect(job, None, other_types)]]


def _build_view(items: Iterable[discord.ui.Item[Any]]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
