"""All settings and styles as one file, out and in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.commands.settings.base import SETTINGS, Part, who
from bot.errors import BadSettingsFile, FileGone
from bot.locales import say
from bot.policy import Rules
from bot.policy.files import MAX_BYTES, read_file, too_large, write_file
from bot.sentences import Sentence
from storage.guilds import OF_STYLE, Style

NAME = "easel-settings.yaml"


class Files(Part):
    """Export and import."""

    @SETTINGS.command(description="All settings of this server as one YAML file.")
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Send the file to the admin alone."""
        guild, book = str(interaction.guild_id), self.bot.rulebook
        styles = {name: asdict(one) for name, one in (await book.styles(guild)).items()}
        text = write_file(await book.settings(guild), styles)
        file = discord.File(io.BytesIO(text.encode()), NAME)
        await interaction.response.send_message(
            say("All settings and styles of this server. `/settings import` takes the file back."),
            file=file,
            ephemeral=True,
        )

    @SETTINGS.command(name="import", description="Take all settings from a YAML file.")
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
        guild, actor = who(interaction)
        book = self.bot.rulebook
        taken = await asyncio.to_thread(read_file, await _fetched(file))
        _check_ids(interaction.guild, Rules.decode(_set(taken.settings)))
        before, mine = await book.settings(guild), await book.styles(guild)
        differing = {name: v for name, v in taken.settings.items() if before.get(name) != v}
        styles = _differing(mine, taken.styles)
        if (differing or styles) and not only_check:
            await book.change(guild, actor, differing, styles)
        told = {**differing, **{OF_STYLE + name: _words(one) for name, one in styles.items()}}
        known = {**before, **{OF_STYLE + name: _words(one) for name, one in mine.items()}}
        words = texts.settings_changes(known, told, only_check=only_check)
        await interaction.followup.send(words, ephemeral=True)


async def _fetched(file: discord.Attachment) -> bytes:
    if file.size > MAX_BYTES:
        raise BadSettingsFile([too_large(file.size)])
    try:
        return await file.read()
    except discord.HTTPException as error:
        raise FileGone(file.filename) from error


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_ids(guild: discord.Guild | None, rules: Rules) -> None:
    """Refuse channels and roles that this server does not have: nobody could use Easel then.

    Raises:
        BadSettingsFile: names them.
    """
    if guild is None:
        return
    channels = {*rules.channels, *filter(None, [rules.log_channel])}
    roles = {*rules.roles, *rules.role_quotas, *rules.role_shares}
    problems = [
        Sentence("This server has no channel {id}", id=id)
        for id in sorted(channels)
        if guild.get_channel_or_thread(int(id)) is None
    ]
    problems += [
        Sentence("This server has no role {id}", id=id)
        for id in sorted(roles)
        if guild.get_role(int(id)) is None
    ]
    if problems:
        raise BadSettingsFile(problems)


def _differing(
    mine: Mapping[str, Style], wanted: Mapping[str, Mapping[str, str]] | None
) -> dict[str, Style | None]:
    """Return the styles to put and, as None, those to delete; nothing where none are wanted."""
    if wanted is None:
        return {}
    styles = {name: Style(name=name, **words) for name, words in wanted.items()}
    kept = {name.casefold() for name in styles}
    gone = {name: None for name in mine if name.casefold() not in kept}
    return {**gone, **{name: one for name, one in styles.items() if mine.get(name) != one}}


def _words(style: Style | None) -> dict[str, str] | None:
    """Return what a style adds, for the list of changes."""
    if style is None:
        return None
    return {key: text for key, text in asdict(style).items() if text and key != "name"}
