"""What the parts of `/settings` share."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import EaselCog
from bot.guilds import GuildSettings
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.escaping import MAX_MESSAGE_CHARACTERS, join_limited
from bot.moderation.nsfw_screen import UNCHECKED_ACTION, nsfw_action
from bot.services import services_of

CHECK_SETTINGS = frozenset({"nsfw_ordinary", "nsfw_restricted", "nsfw_threshold"})
NO_CHECK_WARNING = gettext_noop(
    "⚠️ No picture check is installed on this host: in ordinary channels nothing will be made or "
    "shown until its keeper installs one, or the setting is “unchecked” again."
)
AllowableChannel = discord.TextChannel | discord.VoiceChannel | discord.ForumChannel

SETTINGS_GROUP = app_commands.Group(
    name="settings",
    description="What this server allows.",
    default_permissions=discord.Permissions(manage_guild=True),
    guild_only=True,
)


class SettingsCogBase(EaselCog):
    """Base of the cog's parts: it changes settings and shows the result."""

    async def change_settings(
        self, interaction: discord.Interaction[Any], values: dict[str, Any]
    ) -> None:
        """Set what is given and show what holds now."""
        guild, _ = admin_of(interaction)
        old_settings = await self.services.settings_editor.guild_settings(guild)
        settings = await self.services.settings_editor.apply_changes(*admin_of(interaction), values)
        warning = ""
        if CHECK_SETTINGS & values.keys() and checks_pictures(settings):
            await interaction.response.defer(ephemeral=True, thinking=True)
            if not await self.services.detector.is_available():
                warning = translate(NO_CHECK_WARNING)
        await reply_with_settings(interaction, settings, old_settings, warning)

    async def change_list(
        self, interaction: discord.Interaction[Any], name: str, entry: str, on: bool
    ) -> None:
        """Put an entry on a list, or take it off, and show what holds now."""
        guild, _ = admin_of(interaction)
        old_settings = await self.services.settings_editor.guild_settings(guild)
        settings = await self.services.settings_editor.toggle_list_entry(
            *admin_of(interaction), name, entry, on
        )
        await reply_with_settings(interaction, settings, old_settings)


def admin_of(interaction: discord.Interaction[Any]) -> tuple[str, str]:
    """Return the server's id and the admin's."""
    return str(interaction.guild_id), str(interaction.user.id)


def checks_pictures(settings: GuildSettings) -> bool:
    """Whether pictures are checked in ordinary channels, where nothing unchecked is shown."""
    return nsfw_action(settings, age_restricted=False) != UNCHECKED_ACTION


async def reply_with_settings(
    interaction: discord.Interaction[Any],
    settings: GuildSettings,
    old_settings: GuildSettings | None = None,
    warning: str = "",
) -> None:
    """Show an admin alone what holds now: first what was changed just now, if that is known."""
    host_limits = services_of(interaction).settings_editor.host_limits
    overview = messages.settings_overview(settings, (), host_limits=host_limits)
    changed_lines = [warning] if warning else []
    if old_settings is not None:
        old_overview = messages.settings_overview(old_settings, (), host_limits=host_limits)
        old_lines = old_overview.splitlines()
        new_lines = [line for line in overview.splitlines() if line not in old_lines]
        head = translate("**Changed just now**") if new_lines else translate("Nothing was changed.")
        changed_lines = [head, *new_lines, *changed_lines, ""]
    words = join_limited(MAX_MESSAGE_CHARACTERS, [*changed_lines, *overview.splitlines()])
    if interaction.response.is_done():
        await interaction.followup.send(words, ephemeral=True)
    else:
        await interaction.response.send_message(words, ephemeral=True)
