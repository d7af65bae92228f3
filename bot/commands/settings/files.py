"""All settings and styles as one file, out and in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.settings.base import SETTINGS_GROUP, SettingsCogBase, admin_of
from bot.errors import AttachmentDeleted, BadSettingsFile
from bot.guilds import GuildSettings
from bot.guilds.yaml_file import (
    MAX_FILE_BYTES,
    file_too_large,
    read_settings_file,
    write_settings_file,
)
from bot.i18n import translate
from bot.i18n.message import TranslatableMessage
from storage.guilds import STYLE_SUBJECT_PREFIX, PromptStyle

EXPORT_FILENAME = "easel-settings.yaml"


class SettingsFileCommands(SettingsCogBase):
    """/settings export and import."""

    @SETTINGS_GROUP.command(description="All settings of this server as one YAML file.")
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Send the file to the admin alone."""
        guild, editor = str(interaction.guild_id), self.services.settings_editor
        styles = {
            name: asdict(style) for name, style in (await editor.styles_by_name(guild)).items()
        }
        text = write_settings_file(await editor.stored_settings(guild), styles)
        file = discord.File(io.BytesIO(text.encode()), EXPORT_FILENAME)
        await interaction.response.send_message(
            translate(
                "All settings and styles of this server. `/settings import` takes the file back."
            ),
            file=file,
            ephemeral=True,
        )

    @SETTINGS_GROUP.command(name="import", description="Take all settings from a YAML file.")
    @app_commands.describe(
        file="As /settings export writes it; what it leaves out is no longer set",
        only_check="Say what would change, and change nothing",
    )
    async def import_file(
        self,
        interaction: discord.Interaction[Any],
        file: discord.Attachment,
        only_check: bool = False,
    ) -> None:
        """Replace all settings, or say what is wrong and change nothing."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild, actor = admin_of(interaction)
        editor = self.services.settings_editor
        settings_file = await asyncio.to_thread(read_settings_file, await _download_file(file))
        _check_ids(
            interaction.guild, GuildSettings.from_stored(_without_unset(settings_file.settings))
        )
        current_settings, current_styles = (
            await editor.stored_settings(guild),
            await editor.styles_by_name(guild),
        )
        changed_settings = {
            name: v for name, v in settings_file.settings.items() if current_settings.get(name) != v
        }
        styles = _style_changes(current_styles, settings_file.styles)
        if (changed_settings or styles) and not only_check:
            await editor.apply_changes(guild, actor, changed_settings, styles)
        new_values = {
            **changed_settings,
            **{STYLE_SUBJECT_PREFIX + name: _style_texts(style) for name, style in styles.items()},
        }
        old_values = {
            **current_settings,
            **{
                STYLE_SUBJECT_PREFIX + name: _style_texts(style)
                for name, style in current_styles.items()
            },
        }
        message = messages.settings_changes(old_values, new_values, only_check=only_check)
        await interaction.followup.send(message, ephemeral=True)


async def _download_file(file: discord.Attachment) -> bytes:
    if file.size > MAX_FILE_BYTES:
        raise BadSettingsFile([file_too_large(file.size)])
    try:
        return await file.read()
    except discord.HTTPException as error:
        raise AttachmentDeleted(file.filename) from error


def _without_unset(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_ids(guild: discord.Guild | None, settings: GuildSettings) -> None:
    """Refuse channels and roles that this server does not have: nobody could use Easel then.

    Raises:
        BadSettingsFile: names them.
    """
    if guild is None:
        return
    channels = {*settings.channels, *filter(None, [settings.log_channel])}
    roles = {*settings.roles, *settings.role_quotas, *settings.role_shares}
    problems = [
        TranslatableMessage("This server has no channel {id}", id=id)
        for id in sorted(channels)
        if guild.get_channel_or_thread(int(id)) is None
    ]
    problems += [
        TranslatableMessage("This server has no role {id}", id=id)
        for id in sorted(roles)
        if guild.get_role(int(id)) is None
    ]
    if problems:
        raise BadSettingsFile(problems)


def _style_changes(
    current_styles: Mapping[str, PromptStyle], wanted_styles: Mapping[str, Mapping[str, str]] | None
) -> dict[str, PromptStyle | None]:
    """Return the styles to put and, as None, those to delete; nothing where none are wanted."""
    if wanted_styles is None:
        return {}
    styles = {
        name: PromptStyle(name=name, **style_fields) for name, style_fields in wanted_styles.items()
    }
    wanted_names = {name.casefold() for name in styles}
    deleted_styles = {name: None for name in current_styles if name.casefold() not in wanted_names}
    return {
        **deleted_styles,
        **{name: style for name, style in styles.items() if current_styles.get(name) != style},
    }


def _style_texts(style: PromptStyle | None) -> dict[str, str] | None:
    """Return what a style adds, for the list of changes."""
    if style is None:
        return None
    return {key: text for key, text in asdict(style).items() if text and key != "name"}
