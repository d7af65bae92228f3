"""Where styles are kept, and how they are put around a prompt.

A member's own lie beside their defaults, so that they end together with them; a server's have
their history beside its settings'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import discord
from discord import app_commands

from bot.errors import NoSettings, UserError
from bot.policy import allows
from storage.guilds import GuildStore, Style

if TYPE_CHECKING:
    from bot.client import Easel

SLOT = "{prompt}"
MAX_STYLES = 25  # of one member: as many as Discord completes
KEY = "styles"
"""Under which a member's own lie among what they chose."""

LORA = re.compile(r"<lora:[^<>]+>", re.IGNORECASE)
"""A LoRA's tag as prompts hold it, in place of a style's name."""
LONGEST = 100  # characters of what Discord completes

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
        """Return the style of that name, the member's own before the server's; or a LoRA's tag.

        Raises:
            UserError: there is none.
        """
        if LORA.fullmatch(name):
            return Style(name=name, prompt=name)
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
    return _offered(dict.fromkeys(await _names(interaction), ""), current)


async def styles_and_loras(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, then the LoRAs that may be used."""
    client, guild = cast("Easel", interaction.client), _guild(interaction)
    rules = await client.gate.rules(guild)
    tags = {
        f"<lora:{model.name}:1>": f"LoRA {model.name}"
        for worker in client.service.workers
        for model in worker.models
        if model.kind == "lora" and allows(rules, model.kind, model.name)
    }
    return _offered(dict.fromkeys(await _names(interaction), "") | tags, current)


async def _names(interaction: discord.Interaction[Any]) -> list[str]:
    shelf = cast("Easel", interaction.client).styles
    mine = [*await shelf.of_member(str(interaction.user.id))]
    servers = [style.name for style in await shelf.of_guild(_guild(interaction))]
    return list(dict.fromkeys([*mine, *servers]))


def _guild(interaction: discord.Interaction[Any]) -> str | None:
    return None if interaction.guild_id is None else str(interaction.guild_id)


def _offered(names: Mapping[str, str], typed: str) -> list[app_commands.Choice[str]]:
    """Offer what holds the letters typed, under its own name where no other is given."""
    shown = {name: words or name for name, words in names.items() if len(name) <= LONGEST}
    hits = [name for name, words in shown.items() if typed.casefold() in words.casefold()]
    return [app_commands.Choice(name=shown[name], value=name) for name in hits[:25]]
