"""Continue a picture beyond its edges: arrows, and steps back from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import discord

from bot.locales import say
from bot.sentences import english
from bot.views.base import JOB, client_of
from bot.views.results import PictureButton, work_on
from inference.jobs import Outpaint
from storage.records import JobRecord

STEP = 128  # pixels that an arrow adds
KEPT = ("prompt", "negative_prompt", "model")
"""What a continuation has in common with what it continues."""


@dataclass(frozen=True)
class Way:
    """One way to continue a picture."""

    label: str
    emoji: str
    options: Mapping[str, Any]
    row: int


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "left": Way(english("Left"), "⬅️", {"left": STEP}, 0),
        "right": Way(english("Right"), "➡️", {"right": STEP}, 0),
        "up": Way(english("Up"), "⬆️", {"up": STEP}, 0),
        "down": Way(english("Down"), "⬇️", {"down": STEP}, 0),
        "around": Way(english("Zoom out 1.5×"), "🔎", {"preset": "zoom out 1.5x"}, 1),
        "far": Way(english("Zoom out 2×"), "🔭", {"preset": "zoom out 2x"}, 1),
        "square": Way(english("Make square"), "⏹️", {"preset": "make square"}, 1),
        "wide": Way(english("To 16:9"), "🖥️", {"preset": "to 16:9"}, 1),
        "high": Way(english("To 9:16"), "📱", {"preset": "to 9:16"}, 1),
    }
)


class Arrows(PictureButton, template=rf"easel:outpaint(?:\.(?P<number>\d))?:{JOB}"):
    """The ways in which a result can be continued."""

    verb = "outpaint"
    label = english("Outpaint")
    emoji = "↔️"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Offer them to the member alone."""
        view = discord.ui.View(timeout=None)
        for name in WAYS:
            view.add_item(Extend(self.job_id, self.number, name))
        await interaction.response.send_message(
            say(
                "Which way? An arrow adds {step} pixels. `/outpaint` takes any number, and words "
                "of its own.",
                step=STEP,
            ),
            view=view,
            ephemeral=True,
        )


class Extend(PictureButton, template=rf"easel:extend\.(?P<way>[a-z]+)(?:\.(?P<number>\d))?:{JOB}"):
    """A result, continued one way."""

    verb = "extend"

    def __init__(self, job_id: str, number: int | None = None, way: str = "left") -> None:
        self.way = WAYS[way]
        self.label, self.emoji = self.way.label, self.way.emoji  # type: ignore[misc]
        self.verb = f"extend.{way}"  # type: ignore[misc]
        super().__init__(job_id, number)
        self.row = self.way.row

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id, the way, and the picture's number if it is about one."""
        number = int(match["number"]) if match["number"] else None
        return cls(match["job"], number, match["way"] if match["way"] in WAYS else "left")

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue the outpainting, with the words of what it continues."""
        kept = {name: record.params[name] for name in KEPT if record.params.get(name)}
        gate, given = client_of(interaction).gate, {**kept, **self.way.options}
        values = await gate.filled(interaction.guild_id, Outpaint, given)
        await work_on(interaction, Outpaint(**values), record, picture)
