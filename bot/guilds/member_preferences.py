"""Styles, direct messages, being asked first: what members choose beside their defaults.

Both are stored with the member's defaults and deleted with them; a server's styles have their
history beside its settings'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bot.errors import UserError
from storage.guilds import GuildStore, PromptStyle

PROMPT_SLOT = "{prompt}"
#: Key of the permission for direct messages among a member's defaults.
DM_PREFERENCE_KEY = "direct_messages"
#: Key of the wish to see a form before a button asks for a job.
ASK_FIRST_KEY = "ask_first"
MAX_STYLES = 25  # of one member: as many as Discord completes
#: Key of a member's own styles among their defaults.
MEMBER_STYLES_KEY = "styles"

LORA_TAG_PATTERN = re.compile(r"<lora:[^<>]+>", re.IGNORECASE)
"""A LoRA's tag as prompts hold it, in place of a style's name."""

StylesByName = dict[str, PromptStyle]


class MemberSwitches:
    """What members switch on: nothing is, until they say so."""

    def __init__(self, guilds: GuildStore) -> None:
        self._guilds = guilds

    async def is_dm_allowed(self, owner: str) -> bool:
        """Whether a member takes results by direct message where a channel is closed."""
        return await self._is_on(owner, DM_PREFERENCE_KEY)

    async def set_dm_allowed(self, owner: str, *, is_allowed: bool) -> None:
        """Note what a member chose."""
        await self._switch(owner, DM_PREFERENCE_KEY, is_on=is_allowed)

    async def asks_first(self, owner: str) -> bool:
        """Whether buttons show a member a form before they ask for a job."""
        return await self._is_on(owner, ASK_FIRST_KEY)

    async def set_asks_first(self, owner: str, *, is_on: bool) -> None:
        """Note what a member chose."""
        await self._switch(owner, ASK_FIRST_KEY, is_on=is_on)

    async def _is_on(self, owner: str, key: str) -> bool:
        return (await self._guilds.member_defaults(owner)).get(key) is True

    async def _switch(self, owner: str, key: str, *, is_on: bool) -> None:
        defaults = {**await self._guilds.member_defaults(owner), key: is_on}
        await self._guilds.put_member_defaults(owner, defaults)


class StyleStore:
    """The styles of members and servers."""

    def __init__(self, guilds: GuildStore) -> None:
        self._guilds = guilds

    async def member_styles(self, owner: str) -> StylesByName:
        """Return a member's own styles by name."""
        stored_styles = (await self._guilds.member_defaults(owner)).get(MEMBER_STYLES_KEY, {})
        return {name: PromptStyle(name=name, **words) for name, words in stored_styles.items()}

    async def save_member_styles(self, owner: str, styles: StylesByName) -> None:
        """Replace a member's own styles."""
        words = {name: asdict(style) for name, style in styles.items()}
        for style_fields in words.values():
            del style_fields["name"]
        defaults = {**await self._guilds.member_defaults(owner), MEMBER_STYLES_KEY: words}
        await self._guilds.put_member_defaults(owner, defaults)

    async def guild_styles(self, guild: str | None) -> list[PromptStyle]:
        """Return a server's styles."""
        return [] if guild is None else await self._guilds.list_styles(guild)

    async def save_guild_style(self, guild: str, actor: str, style: PromptStyle) -> None:
        """Add a style to a server, or replace the one of its name."""
        await self._guilds.put_style(guild, actor, style)

    async def delete_guild_style(self, guild: str, actor: str, name: str) -> bool:
        """Delete a style of a server and return whether there was one."""
        return await self._guilds.delete_style(guild, actor, name)

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
        if matching_style is None and guild is not None:
            matching_style = await self._guilds.get_style(guild, name)
        if matching_style is None:
            raise UserError("There is no style “{name}” here. /style list shows them.", name=name)
        return matching_style


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
