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

from bot.errors import SettingsUnavailable, UserError
from bot.guilds import is_model_allowed
from storage.guilds import GuildStore, PromptStyle

if TYPE_CHECKING:
    from bot.client import EaselBot

PROMPT_SLOT = "{prompt}"
MAX_STYLES = 25  # of one member: as many as Discord completes
MEMBER_STYLES_KEY = "styles"
"""Under which a member's own lie among what they chose."""

LORA_TAG_PATTERN = re.compile(r"<lora:[^<>]+>", re.IGNORECASE)
"""A LoRA's tag as prompts hold it, in place of a style's name."""
MAX_CHOICE_LENGTH = 100  # characters of what Discord completes

StylesByName = dict[str, PromptStyle]


class StyleStore:
    """The styles of members and servers."""

    def __init__(self, guilds: GuildStore | None) -> None:
        self._guilds = guilds

    async def member_styles(self, owner: str) -> StylesByName:
        """Return a member's own, by name."""
        if self._guilds is None:
            return {}
        stored_styles = (await self._guilds.member_defaults(owner)).get(MEMBER_STYLES_KEY, {})
        return {name: PromptStyle(name=name, **words) for name, words in stored_styles.items()}

    async def save_member_styles(self, owner: str, styles: StylesByName) -> None:
        """Replace a member's own."""
        store = self._require_store()
        words = {name: asdict(style) for name, style in styles.items()}
        for style_fields in words.values():
            del style_fields["name"]
        await store.put_member_defaults(
            owner, {**await store.member_defaults(owner), MEMBER_STYLES_KEY: words}
        )

    async def guild_styles(self, guild: str | None) -> list[PromptStyle]:
        """Return a server's."""
        if guild is None or self._guilds is None:
            return []
        return await self._guilds.list_styles(guild)

    async def save_guild_style(self, guild: str, actor: str, style: PromptStyle) -> None:
        """Add one to a server's, or replace it."""
        await self._require_store().put_style(guild, actor, style)

    async def delete_guild_style(self, guild: str, actor: str, name: str) -> bool:
        """Delete one of a server's and return whether there was one."""
        return await self._require_store().delete_style(guild, actor, name)

    async def find_style(self, owner: str, guild: str | None, name: str) -> PromptStyle:
        """Return the style of that name, the member's own before the server's; or a LoRA's tag.

        Raises:
            UserError: there is none.
        """
        if LORA_TAG_PATTERN.fullmatch(name):
            return PromptStyle(name=name, prompt=name)
        styles_by_name = {
            style.casefold(): member_style
            for style, member_style in (await self.member_styles(owner)).items()
        }
        matching_style = styles_by_name.get(name.casefold())
        if matching_style is None and guild is not None and self._guilds is not None:
            matching_style = await self._guilds.get_style(guild, name)
        if matching_style is None:
            raise UserError("There is no style “{name}” here. /style list shows them.", name=name)
        return matching_style

    def _require_store(self) -> GuildStore:
        if self._guilds is None:
            raise SettingsUnavailable
        return self._guilds


def apply_style(values: Mapping[str, Any], style: PromptStyle) -> dict[str, Any]:
    """Put a job's prompts through a style."""
    texts = {"prompt": style.prompt, "negative_prompt": style.negative_prompt}
    return {
        **values,
        **{key: _wrap_prompt(values.get(key) or "", text) for key, text in texts.items()},
    }


def _wrap_prompt(words: str, style: str) -> str:
    if PROMPT_SLOT in style:
        return style.replace(PROMPT_SLOT, words)
    return ", ".join(part for part in (words.strip(), style.strip()) if part)


async def style_names(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, the member's own first."""
    return _filter_choices(dict.fromkeys(await _available_names(interaction), ""), current)


async def styles_and_loras(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, then the LoRAs that may be used."""
    client, guild = cast("EaselBot", interaction.client), _guild_id(interaction)
    rules = await client.gate.guild_settings(guild)
    tags = {
        f"<lora:{model.name}:1>": f"LoRA {model.name}"
        for worker in client.service.worker_statuses
        for model in worker.models
        if model.kind == "lora" and is_model_allowed(rules, model.kind, model.name)
    }
    return _filter_choices(dict.fromkeys(await _available_names(interaction), "") | tags, current)


async def _available_names(interaction: discord.Interaction[Any]) -> list[str]:
    shelf = cast("EaselBot", interaction.client).styles
    member_names = [*await shelf.member_styles(str(interaction.user.id))]
    guild_names = [style.name for style in await shelf.guild_styles(_guild_id(interaction))]
    return list(dict.fromkeys([*member_names, *guild_names]))


def _guild_id(interaction: discord.Interaction[Any]) -> str | None:
    return None if interaction.guild_id is None else str(interaction.guild_id)


def _filter_choices(names: Mapping[str, str], typed_text: str) -> list[app_commands.Choice[str]]:
    """Offer what holds the letters typed, under its own name where no other is given."""
    labels = {
        name: words or name for name, words in names.items() if len(name) <= MAX_CHOICE_LENGTH
    }
    hits = [name for name, words in labels.items() if typed_text.casefold() in words.casefold()]
    return [app_commands.Choice(name=labels[name], value=name) for name in hits[:25]]
