"""`/privacy`: show and delete what is stored of me."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.base import EaselCog
from bot.i18n import translate, translate_plural
from bot.i18n.message import gettext_noop
from bot.retention import StoredUserData, count_stored_data, erase_user_data

ERASE_CONFIRMATION = "yes, delete all of it"

STORED_DATA_TEXT = gettext_noop(
    "Of you, this Easel stores {jobs} and {pictures}: who asked, where, with which options, and "
    "the pictures that went in and came out, without place, time and camera. Your messages are not "
    "kept. They serve the buttons, `/history` and deliveries, and nothing else; nothing is used "
    "for training. They stay {until}. What you used of the GPU on a server is kept for a day, also "
    "beyond `/privacy forget`, since quotas count it; and while you owe the queue more than your "
    "share, how much.\n"
    "A result whose channel is closed {direct}: `/privacy messages` changes that.\n"
    "Results in channels are Discord's: 🗑️ *Delete* takes each away."
)

STORAGE_TEXT = gettext_noop(
    "They take {used} of the {limit} that one member may keep; beyond that, your oldest ended jobs "
    "go first. What you cancel goes after a day."
)
NODES_TEXT = gettext_noop(
    "While a job runs, its pictures and its prompt are also on the machine that computes it, one "
    "of several that the host has; they go from there with the job."
)
UNBOUNDED_STORAGE_TEXT = gettext_noop("They take {used}. What you cancel goes after a day.")

SENT_BY_DM_TEXT = gettext_noop("comes to your direct messages")
KEPT_IN_QUEUE_TEXT = gettext_noop("waits for you in `/queue`")


class PrivacyCog(EaselCog):
    """/privacy."""

    privacy = app_commands.Group(name="privacy", description="What is stored of you, and its end.")

    @privacy.command(description="Show what is stored of you.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Count it for the member alone."""
        stored_data = await count_stored_data(str(interaction.user.id), self.services.jobs)
        allows_dm = await self.services.member_switches.is_dm_allowed(str(interaction.user.id))
        message = translate(
            STORED_DATA_TEXT,
            **_count_texts(stored_data),
            until=_retention_text(self.services.keep_days),
            direct=translate(SENT_BY_DM_TEXT if allows_dm else KEPT_IN_QUEUE_TEXT),
        )
        storage = self.services.submitter.member_storage
        used_bytes = await storage.measure(str(interaction.user.id))
        storage_message = translate(
            STORAGE_TEXT if storage.max_bytes else UNBOUNDED_STORAGE_TEXT,
            used=_size_text(used_bytes),
            limit=_size_text(storage.max_bytes),
        )
        lines = [message, storage_message]
        if self.services.has_nodes:
            lines.append(translate(NODES_TEXT))
        await interaction.response.send_message("\n".join(lines), ephemeral=True)

    @privacy.command(
        description="Say whether results whose channel is closed come to you directly."
    )
    @app_commands.describe(allow="Whether I may send you a direct message then")
    async def messages(
        self, interaction: discord.Interaction[Any], allow: Literal["yes", "no"]
    ) -> None:
        """Note it, and say what it comes to."""
        allows_dm = allow == "yes"
        await self.services.member_switches.set_dm_allowed(
            str(interaction.user.id), is_allowed=allows_dm
        )
        await interaction.response.send_message(
            translate(
                "Noted: a result whose channel is closed to me {direct}.",
                direct=translate(SENT_BY_DM_TEXT if allows_dm else KEPT_IN_QUEUE_TEXT),
            ),
            ephemeral=True,
        )

    @privacy.command(description="Delete all that is stored of you: jobs, pictures, defaults.")
    @app_commands.describe(sure="It cannot be undone")
    async def forget(
        self,
        interaction: discord.Interaction[Any],
        sure: Literal[ERASE_CONFIRMATION],  # type: ignore[valid-type]
    ) -> None:
        """Delete it, and say what it was."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        services = self.services
        owner = str(interaction.user.id)
        erased_data = await erase_user_data(
            owner,
            services.dispatcher,
            services.jobs,
            services.blobs,
            services.guild_store,
            services.moderation_store,
        )
        await interaction.followup.send(
            translate(
                "Deleted {jobs} and {pictures}, and your defaults and styles. Buttons under your "
                "old results no longer work.",
                **_count_texts(erased_data),
            ),
            ephemeral=True,
        )


def _retention_text(days: float) -> str:
    if not days:
        return translate("until you delete them with `/privacy forget`, or the host does")
    return translate(
        "at most {days} days after the job has ended, or until you delete them with "
        "`/privacy forget`",
        days=f"{days:g}",
    )


def _size_text(size: int) -> str:
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


def _count_texts(stored_data: StoredUserData) -> dict[str, str]:
    return {
        "jobs": translate_plural(stored_data.jobs, "1 job", "{count} jobs"),
        "pictures": translate_plural(len(stored_data.images), "1 picture", "{count} pictures"),
    }
