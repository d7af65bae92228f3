"""`/privacy`: what is stored of me, and its end."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.base import EaselCog
from bot.forgetting import Kept, forget, kept_of
from bot.locales import counted, say
from bot.sentences import english

SURE = "yes, delete all of it"

STORED = english(
    "Of you, this Easel stores {jobs} and {pictures}: who asked, where, with which options, and "
    "the pictures that went in and came out, without place, time and camera. Your messages are not "
    "kept. They serve the buttons, `/history` and deliveries, and nothing else; nothing is used "
    "for training. They stay {until}. What you used of the GPU on a server is kept for a day, also "
    "beyond `/privacy forget`, since quotas count it.\n"
    "A result whose channel is closed {direct}: `/privacy messages` changes that.\n"
    "Results in channels are Discord's: 🗑️ *Delete* takes each away."
)

COMES = english("comes to your direct messages")
WAITS = english("waits for you in `/queue`")


class PrivacyCog(EaselCog):
    """What is known of a member."""

    privacy = app_commands.Group(name="privacy", description="What is stored of you, and its end.")

    @privacy.command(description="Show what is stored of you.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Count it for the member alone."""
        kept = await kept_of(str(interaction.user.id), self.bot.jobs)
        comes = await self.bot.direct.allowed(str(interaction.user.id))
        words = say(
            STORED,
            **_counts(kept),
            until=_until(self.bot.settings.keep_days),
            direct=say(COMES if comes else WAITS),
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
            say(
                "Noted: a result whose channel is closed to me {direct}.",
                direct=say(COMES if allowed else WAITS),
            ),
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
            say(
                "Deleted {jobs} and {pictures}, and your defaults and styles. Buttons under your "
                "old results no longer work.",
                **_counts(kept),
            ),
            ephemeral=True,
        )


def _until(days: float) -> str:
    if not days:
        return say("until you delete them with `/privacy forget`, or the host does")
    return say(
        "at most {days} days after the job has ended, or until you delete them with "
        "`/privacy forget`",
        days=f"{days:g}",
    )


def _counts(kept: Kept) -> dict[str, str]:
    return {
        "jobs": counted(kept.jobs, "1 job", "{count} jobs"),
        "pictures": counted(len(kept.pictures), "1 picture", "{count} pictures"),
    }
