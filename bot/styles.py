"""Where styles are kept, and how they are put around a prompt.

A member's own lie beside their defaults, so that they end together with them; a server's have
their history beside its settings'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands

from bot.errors import NoSettings, UserError
from storage.guilds import GuildStore, Style

if TYPE_CHECKING:
    from bot.client import Easel

SLOT = "{prompt}"
MAX_STYLES = 25  # of one member: as many as Discord completes
KEY = "styles"
"""Under which a member's own lie among what they chose."""

OfMember = dict[str, Style]


class StyleShelf:
    """The styles of members and servers."""

    def __init__(self, guilds: GuildStore | None) -> None:
        self._guilds = guilds

    async def of_member(self, owner: str) -> OfMember:
        """Return a member's own, by name."""
        if self._guilds is None:
            return {}
        kept = (await self._guilds.member_defaults(owner)).get(KEY, {})
        return {name: Style(name=name, **words) for name, words in kept.items()}

    async def put_of_member(self, owner: str, styles: OfMember) -> None:
        """Replace a member's own."""
        store = self._store()
        words = {name: asdict(style) for name, style in styles.items()}
        for one in words.values():
            del one["name"]
        await store.put_member_defaults(owner, {**await store.member_defaults(owner), KEY: words})

    async def of_guild(self, guild: str | None) -> list[Style]:
        """Return a server's."""
        if guild is None or self._guilds is None:
            return []
        return await self._guilds.styles(guild)

    async def put_of_guild(self, guild: str, actor: str, style: Style) -> None:
        """Add one to a server's, or replace it."""
        await self._store().put_style(guild, actor, style)

    async def delete_of_guild(self, guild: str, actor: str, name: str) -> bool:
        """Delete one of a server's and return whether there was one."""
        return await self._store().delete_style(guild, actor, name)

    async def find(self, owner: str, guild: str | None, name: str) -> Style:
        """Return the style of that name, the member's own before the server's.

        Raises:
            UserError: there is none.
        """
        mine = {style.casefold(): one for style, one in (await self.of_member(owner)).items()}
        found = mine.get(name.casefold())
        if found is None and guild is not None and self._guilds is not None:
            found = await self._guilds.style(guild, name)
        if found is None:
            raise UserError("There is no style “{name}” here. /style list shows them.", name=name)
        return found

    def _store(self) -> GuildStore:
        if self._guilds is None:
            raise NoSettings
        return self._guilds


def styled(values: Mapping[str, Any], style: Style) -> dict[str, Any]:
    """Put a job's prompts through a style."""
    texts = {"prompt": style.prompt, "negative_prompt": style.negative_prompt}
    return {**values, **{key: _around(values.get(key) or "", text) for key, text in texts.items()}}


def _around(words: str, style: str) -> str:
    if SLOT in style:
        return style.replace(SLOT, words)
    return ", ".join(part for part in (words.strip(), style.strip()) if part)


async def style_names(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, the member's own first."""
    shelf = cast("Easel", interaction.client).styles
    guild = None if interaction.guild_id is None else str(interaction.guild_id)
    mine = [*await shelf.of_member(str(interaction.user.id))]
    names = dict.fromkeys([*mine, *(style.name for style in await shelf.of_guild(guild))])
    hits = [name for name in names if current.casefold() in name.casefold()]
    return [app_commands.Choice(name=name, value=name) for name in hits[:25]]
