"""What all buttons of a job share: the job's id in their custom id, and answered errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import discord

from bot import guilds
from bot.errors import JobNotFound, NotJobOwner
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import handle_errors
from storage.errors import UnknownJob
from storage.records import JobRecord

if TYPE_CHECKING:
    from bot.client import EaselBot

JOB_ID_PATTERN = r"(?P<job>[0-9a-z]{20})"
OWN_JOB_HINT = gettext_noop("Ask for one of your own with a command.")


class JobButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"easel:none:{JOB_ID_PATTERN}"
):
    """A button that belongs to a job; pressing it calls `press` and answers what that raises."""

    verb: ClassVar[str]
    label: ClassVar[str]
    emoji: ClassVar[str | None] = None
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, job_id: str, label: str | None = None, suffix: str = "") -> None:
        super().__init__(
            discord.ui.Button(
                label=translate(label or self.label),
                emoji=self.emoji,
                style=self.style,
                custom_id=f"easel:{self.verb}{suffix}:{job_id}",
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id back from the button that was pressed."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Press, and answer what goes wrong."""
        async with handle_errors(interaction):
            await self.on_click(interaction, await fetch_record(interaction, self.job_id))

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Do what the button says."""
        raise JobNotFound


async def fetch_record(interaction: discord.Interaction[Any], job_id: str) -> JobRecord:
    """Return the job that a button belongs to.

    Raises:
        JobNotFound: it is no longer stored.
    """
    try:
        return await client_of(interaction).jobs.get_job(job_id)
    except UnknownJob as error:
        raise JobNotFound from error


def require_owner(
    interaction: discord.Interaction[Any], record: JobRecord, instead: str = OWN_JOB_HINT
) -> None:
    """Let only the job's owner go on.

    Raises:
        NotJobOwner: it is somebody else's.
    """
    if not guilds.may_use(str(interaction.user.id), record.owner):
        raise NotJobOwner(record.owner, instead)


def client_of(interaction: discord.Interaction[Any]) -> EaselBot:
    """Return the bot that an interaction came to."""
    return cast("EaselBot", interaction.client)
