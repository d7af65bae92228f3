"""A mask without a drawing tool: cells of the lettered grid, a look at the mask, then Go.

The whole state lies in the preview jobs themselves: the select under a grid asks for a preview of
the cells chosen, in the same message; Go under a preview reads its mask back. So a half-finished
mask outlives the bot's process, and nothing has to be remembered.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot.answers import answering
from bot.errors import UserError
from bot.locales import say
from bot.requests import InPlaceRequest, InteractionRequest
from bot.sentences import english
from bot.views.base import JOB, JobButton, client_of, record_of, refuse_others
from bot.views.forms import Filled, JobForm
from bot.views.results import PictureButton, work_on
from inference.jobs import Inpaint, Preview
from storage.records import JobRecord

LETTERS, ROWS = "ABCDE", range(1, 6)
CELLS = tuple(f"{letter}{row}" for row in ROWS for letter in LETTERS)
PAINTED = ("prompt", "negative_prompt", "strength", "steps", "guidance")


class PickCells(discord.ui.DynamicItem[discord.ui.Select[Any]], template=rf"easel:cells:{JOB}"):
    """All cells of the grid in one select."""

    def __init__(self, job_id: str, chosen: str = "") -> None:
        picked = set(chosen.split(" + "))
        super().__init__(
            discord.ui.Select(
                custom_id=f"easel:cells:{job_id}",
                placeholder=say("Pick the cells to repaint"),
                min_values=1,
                max_values=len(CELLS),
                options=[
                    discord.SelectOption(label=cell, value=cell, default=cell in picked)
                    for cell in CELLS
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
        async with answering(interaction):
            record = await record_of(interaction, self.job_id)
            refuse_others(interaction, record)
            cells = [cell for cell in CELLS if cell in self.item.values]
            if not cells:
                raise UserError("Pick at least one cell.")
            job = Preview(mask_shape=" + ".join(cells))
            await client_of(interaction).desk.again(InPlaceRequest(interaction), job, record)


class Invert(JobButton, template=rf"easel:invert:{JOB}"):
    """Everything but the mask."""

    verb = "invert"
    label = english("Swap inside and outside")
    emoji = "🔃"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Turn the message into a preview of the other part."""
        refuse_others(interaction, record)
        mode = "masked" if record.params["mask_mode"] == "not masked" else "not masked"
        job = Preview.decode({**record.params, "mask_mode": mode})
        await client_of(interaction).desk.again(InPlaceRequest(interaction), job, record)


class MarkThing(JobButton, template=rf"easel:none:{JOB}"):
    """What a network finds in the picture, in one click."""

    thing: ClassVar[str]

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Turn the message into a preview of it."""
        refuse_others(interaction, record)
        job = Preview(mask_shape=self.thing)
        await client_of(interaction).desk.again(InPlaceRequest(interaction), job, record)


class MarkSubject(MarkThing, template=rf"easel:subject:{JOB}"):
    """What stands out."""

    verb, label, emoji, thing = "subject", english("Subject"), "🧍", "subject"


class MarkBackground(MarkThing, template=rf"easel:background:{JOB}"):
    """All but what stands out."""

    verb, label, emoji, thing = "background", english("Background"), "🏞️", "background"


class MarkFace(MarkThing, template=rf"easel:face:{JOB}"):
    """The faces."""

    verb, label, emoji, thing = "face", english("Face"), "🙂", "face"


class Go(JobButton, template=rf"easel:go:{JOB}"):
    """Repaint what the preview shows."""

    verb = "go"
    label = english("Go")
    emoji = "🖌️"
    style = discord.ButtonStyle.primary

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Ask for the words, then queue the inpainting."""
        refuse_others(interaction, record)
        mask = {name: record.params[name] for name in ("mask_shape", "mask_mode")}

        async def submit(answer: discord.Interaction[Any], filled: Filled) -> None:
            job = Inpaint(**mask, **filled.values)
            await client_of(answer).desk.again(InteractionRequest(answer), job, record)

        filled = await client_of(interaction).gate.filled(interaction.guild_id, Inpaint, {})
        form = JobForm(say("What should be there?"), Inpaint, PAINTED, submit, filled=filled)
        await interaction.response.send_modal(form)


class Grid(PictureButton, template=rf"easel:grid(?:\.(?P<number>\d))?:{JOB}"):
    """A lettered grid over a result, from which to choose where to repaint it."""

    verb = "grid"
    label = english("Inpaint")
    emoji = "🔲"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue the grid."""
        await work_on(interaction, Preview(show="grid"), record, picture)
