"""`/privacy`: what is stored of me, and its end."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.base import EaselCog
from bot.forgetting import forget, kept_of

SURE = "yes, delete all of it"

STORED = (
    "Of you, this Easel stores {jobs} and {pictures}: who asked, where, with which options, and "
    "the pictures that went in and came out, without place, time and camera. Your messages are not "
    "kept. They serve the buttons, `/history` and deliveries, and nothing else; nothing is used "
    "for training. They stay {until}. What you used of the GPU on a server is kept for a day, also "
    "beyond `/privacy forget`, since quotas count it.\n"
    "A result whose channel is closed {direct}: `/privacy messages` changes that.\n"
    "Results in channels are Discord's: 🗑️ *Delete* takes each away."
)

COMES, WAITS = "comes to your direct messages", "waits for you in `/queue`"


class PrivacyCog(EaselCog):
    """What is known of a member."""

    privacy = app_commands.Group(name="privacy", description="What is stored of you, and its end.")

    @privacy.command(description="Show what is stored of you.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Count it for the member alone."""
        kept = await kept_of(str(interaction.user.id), self.bot.jobs)
        words = STORED.format(
            jobs=_count(kept.jobs, "job"),
            pictures=_count(len(kept.pictures), "picture"),
            until=_until(self.bot.settings.keep_days),
            direct=COMES if await self.bot.direct.allowed(str(interaction.user.id)) else WAITS,
        )
        await interaction.response.send_message(words, ephemeral=True)

    @privacy.command(
        description="Say whether results whose channel is closed come to you directly."
    )
    @app_commands.describe(allow="Whether I may send you a direct message then")
    async def messages(
        self, interaction: discord.Interaction[Any], allow: Literal["yes", "no"]
    ) -> None:
        """Note it, and say what it comes to."""
        allowed = allow == "yes"
        await self.bot.direct.allow(str(interaction.user.id), allowed=allowed)
        await interaction.response.send_message(
            f"Noted: a result whose channel is closed to me {COMES if allowed else WAITS}.",
            ephemeral=True,
        )

    @privacy.command(description="Delete all that is stored of you: jobs, pictures, defaults.")
    @app_commands.describe(sure="It cannot be undone")
    async def forget(self, interaction: discord.Interaction[Any], sure: Literal[SURE]) -> None:  # type: ignore[valid-type]
        """Delete it, and say what it was."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        bot = self.bot
        owner = str(interaction.user.id)
        kept = await forget(
            owner, bot.dispatcher, bot.jobs, bot.blobs, bot.guild_store, bot.moderation_store
        )
        await interaction.followup.send(
            f"Deleted {_count(kept.jobs, 'job')} and {_count(len(kept.pictures), 'picture')}, and "
            "your defaults and styles. Buttons under your old results no longer work.",
            ephemeral=True,
        )


def _until(days: float) -> str:
    forget = "you delete them with `/privacy forget`"
    if not days:
        return f"until {forget}, or the host does"
    return f"at most {days:g} days after the job has ended, or until {forget}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
