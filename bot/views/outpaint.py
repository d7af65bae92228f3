"""The buttons that outpaint a result: one for each direction, and zooming out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import discord

from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.services import services_of
from bot.views.ask_first import submit_or_ask
from bot.views.base import JOB_ID_PATTERN
from bot.views.results import ImageButton, submit_on_result
from inference.api.jobs import Job, OutpaintJob
from storage.records import JobRecord

CONTINUED_OPTIONS = ("prompt", "negative_prompt", "model")
"""What a continuation has in common with what it continues."""


@dataclass(frozen=True)
class OutpaintDirection:
    """One way to continue a picture."""

    label: str
    emoji: str
    options: Mapping[str, Any]
    row: int


OUTPAINT_DIRECTIONS: Mapping[str, OutpaintDirection] = MappingProxyType(
    {
        "left": OutpaintDirection(gettext_noop("Left"), "⬅️", {"preset": "pan left"}, 0),
        "right": OutpaintDirection(gettext_noop("Right"), "➡️", {"preset": "pan right"}, 0),
        "up": OutpaintDirection(gettext_noop("Up"), "⬆️", {"preset": "pan up"}, 0),
        "down": OutpaintDirection(gettext_noop("Down"), "⬇️", {"preset": "pan down"}, 0),
        "around": OutpaintDirection(
            gettext_noop("Zoom out 1.5×"), "🔎", {"preset": "zoom out 1.5x"}, 1
        ),
        "far": OutpaintDirection(gettext_noop("Zoom out 2×"), "🔭", {"preset": "zoom out 2x"}, 1),
        "square": OutpaintDirection(gettext_noop("Make square"), "⏹️", {"preset": "make square"}, 1),
        "wide": OutpaintDirection(gettext_noop("To 16:9"), "🖥️", {"preset": "to 16:9"}, 1),
        "high": OutpaintDirection(gettext_noop("To 9:16"), "📱", {"preset": "to 9:16"}, 1),
    }
)


class OutpaintMenuButton(
    ImageButton, template=rf"easel:outpaint(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """Show the outpainting directions."""

    verb = "outpaint"
    label = gettext_noop("Outpaint")
    emoji = "↔️"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Offer them to the member alone."""
        view = discord.ui.View(timeout=None)
        for name in OUTPAINT_DIRECTIONS:
            view.add_item(OutpaintButton(self.job_id, self.number, name))
        await interaction.response.send_message(
            translate(
                "Which way? An arrow adds a quarter of the picture. `/outpaint` takes any number "
                "of pixels, and words of its own."
            ),
            view=view,
            ephemeral=True,
        )


class OutpaintButton(
    ImageButton, template=rf"easel:extend\.(?P<way>[a-z]+)(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """Outpaint a result in one direction."""

    verb = "extend"

    def __init__(self, job_id: str, number: int | None = None, way: str = "left") -> None:
        self.way = OUTPAINT_DIRECTIONS[way]
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
        return cls(
            match["job"], number, match["way"] if match["way"] in OUTPAINT_DIRECTIONS else "left"
        )

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue the outpainting, with the words of what it continues."""
        continued_options = {
            name: record.params[name] for name in CONTINUED_OPTIONS if record.params.get(name)
        }
        policy = services_of(interaction).policy
        settings = await policy.guild_settings(interaction.guild_id)
        values = policy.fill_defaults(
            settings, OutpaintJob, {**continued_options, **self.way.options}
        )

        async def submit_outpaint(answer: discord.Interaction[Any], job: Job) -> None:
            await submit_on_result(answer, job, record, image)

        await submit_or_ask(interaction, OutpaintJob(**values), submit_outpaint)
