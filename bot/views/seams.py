"""The button that mends the seam of a repaint."""

from __future__ import annotations

from typing import Any

import discord

from bot.requests import InteractionRequest
from bot.results import seam_of
from bot.sentences import english
from bot.views.base import JOB, client_of
from bot.views.results import PictureButton, seed_of
from inference.jobs import Inpaint
from storage.records import JobRecord

KEPT = (
    "prompt",
    "negative_prompt",
    "model",
    "steps",
    "guidance",
    "sampler",
    "schedule",
    "clip_skip",
    "emphasis",
)
"""Options of the repaint that its coherence pass shares."""
GENTLE = 0.3  # denoising strength: both sides of the edge stay what they are


class MendSeam(PictureButton, template=rf"easel:mend(?:\.(?P<number>\d))?:{JOB}"):
    """The result with a band along the mask's edge repainted."""

    verb = "mend"
    label = english("Mend the seam")
    emoji = "🩹"
    style = discord.ButtonStyle.primary

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue a coherence pass; its answer says what became of the seam."""
        kept = {name: record.params[name] for name in KEPT}
        job = Inpaint(**kept, seed=seed_of(record, picture), area="mask edge", strength=GENTLE)
        desk = client_of(interaction).desk
        sources = {"image": desk.stored(picture["key"]), "mask": desk.stored(seam_of(record))}
        await desk.order(InteractionRequest(interaction), job, sources, parent=record.id)
