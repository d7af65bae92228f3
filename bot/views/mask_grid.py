"""A mask without a drawing tool: cells of the lettered grid, a look at the mask, then Go.

The whole state lies in the preview jobs themselves: the select under a grid asks for a preview of
the cells chosen, in the same message; Go under a preview reads its mask back. So a half-finished
mask outlives the bot's process, and nothing has to be remembered.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot.errors import UserError
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import handle_errors
from bot.requests.requester import InPlaceRequest, InteractionRequest
from bot.services import services_of
from bot.views.base import JOB_ID_PATTERN, JobButton, fetch_record, require_owner
from bot.views.forms import FormValues, build_job_form
from bot.views.results import ImageButton, submit_on_result
from inference.api.jobs import InpaintJob, Job, PreviewJob
from storage.records import JobRecord

GRID_LETTERS, GRID_ROWS = "ABCDE", range(1, 6)
GRID_CELLS = tuple(f"{letter}{row}" for row in GRID_ROWS for letter in GRID_LETTERS)


class CellSelect(
    discord.ui.DynamicItem[discord.ui.Select[Any]], template=rf"easel:cells:{JOB_ID_PATTERN}"
):
    """All cells of the grid in one select."""

    def __init__(self, job_id: str, mask_shape: str = "") -> None:
        selected_cells = set(mask_shape.split(" + "))
        super().__init__(
            discord.ui.Select(
                custom_id=f"easel:cells:{job_id}",
                placeholder=translate("Pick the cells to repaint"),
                min_values=1,
                max_values=len(GRID_CELLS),
                options=[
                    discord.SelectOption(label=cell, value=cell, default=cell in selected_cells)
                    for cell in GRID_CELLS
                ],
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id back."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn the message into a preview of the cells."""
        async with handle_errors(interaction):
            record = await fetch_record(interaction, self.job_id)
            require_owner(interaction, record)
            cells = [cell for cell in GRID_CELLS if cell in self.item.values]
            if not cells:
                raise UserError("Pick at least one cell.")
            job = PreviewJob(mask_shape=" + ".join(cells))
            await services_of(interaction).submitter.submit_rerun(
                InPlaceRequest(interaction), job, record
            )


class InvertMaskButton(JobButton, template=rf"easel:invert:{JOB_ID_PATTERN}"):
    """Turn a mask inside out."""

    verb = "invert"
    label = gettext_noop("Swap inside and outside")
    emoji = "🔃"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Turn the message into a preview of the other part."""
        require_owner(interaction, record)
        mode = "masked" if record.params["mask_mode"] == "not masked" else "not masked"
        job = PreviewJob.from_params({**record.params, "mask_mode": mode})
        await services_of(interaction).submitter.submit_rerun(
            InPlaceRequest(interaction), job, record
        )


class SegmentButton(JobButton, template=rf"easel:none:{JOB_ID_PATTERN}"):
    """Mask what a segmentation network finds."""

    thing: ClassVar[str]

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Turn the message into a preview of it."""
        require_owner(interaction, record)
        job = PreviewJob(mask_shape=self.thing)
        await services_of(interaction).submitter.submit_rerun(
            InPlaceRequest(interaction), job, record
        )


class SegmentSubjectButton(SegmentButton, template=rf"easel:subject:{JOB_ID_PATTERN}"):
    """Mask the subject."""

    verb, label, emoji, thing = "subject", gettext_noop("Subject"), "🧍", "subject"


class SegmentBackgroundButton(SegmentButton, template=rf"easel:background:{JOB_ID_PATTERN}"):
    """Mask the background."""

    verb, label, emoji, thing = "background", gettext_noop("Background"), "🏞️", "background"


class SegmentFaceButton(SegmentButton, template=rf"easel:face:{JOB_ID_PATTERN}"):
    """Mask the faces."""

    verb, label, emoji, thing = "face", gettext_noop("Face"), "🙂", "face"


class RepaintMaskButton(JobButton, template=rf"easel:go:{JOB_ID_PATTERN}"):
    """Repaint what the preview shows."""

    verb = "go"
    label = gettext_noop("Go")
    emoji = "🖌️"
    style = discord.ButtonStyle.primary

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Ask for the words, then queue the inpainting."""
        require_owner(interaction, record)
        mask = {name: record.params[name] for name in ("mask_shape", "mask_mode")}

        async def submit_inpaint(
            answer: discord.Interaction[Any], job: Job, _form_values: FormValues
        ) -> None:
            await services_of(answer).submitter.submit_rerun(
                InteractionRequest(answer), job, record
            )

        option_values = await services_of(interaction).policy.fill_guild_defaults(
            interaction.guild_id, InpaintJob, {}
        )
        title = translate("What should be there?")
        form = build_job_form(title, InpaintJob, submit_inpaint, option_values, fixed_values=mask)
        await interaction.response.send_modal(form)


class MaskGridButton(ImageButton, template=rf"easel:grid(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """A lettered grid over a result, from which to choose where to repaint it."""

    verb = "grid"
    label = gettext_noop("Inpaint")
    emoji = "🔲"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue the grid."""
        await submit_on_result(interaction, PreviewJob(show="grid"), record, image)
