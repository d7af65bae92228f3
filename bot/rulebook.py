"""Changing what a server has set: checked as a whole, recorded, and with a way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot import policy
from bot.errors import NoSettings
from bot.policy import Rules
from storage.guilds import NO_STYLES, Change, GuildStore, Style

LOOKED_THROUGH = 200  # changes: many more than one file makes


class Rulebook:
    """The rules of all servers."""

    def __init__(self, store: GuildStore | None) -> None:
        self._guilds = store

    async def settings(self, guild: str) -> dict[str, Any]:
        """Return what a server has set, as storage keeps it."""
        return await self._store().settings(guild)

    async def rules(self, guild: str) -> Rules:
        """Return a server's rules."""
        return Rules.decode(await self.settings(guild))

    async def styles(self, guild: str) -> dict[str, Style]:
        """Return a server's styles by name."""
        return {style.name: style for style in await self._store().styles(guild)}

    async def change(
        self,
        guild: str,
        actor: str,
        values: Mapping[str, Any],
        styles: Mapping[str, Style | None] = NO_STYLES,
    ) -> Rules:
        """Set all of `values` and `styles`, None taking one back, or nothing; return the rules.

        Raises:
            BadSetting: one of them is impossible.
        """
        changes = policy.changed(values)
        return Rules.decode(await self._store().change_settings(guild, actor, changes, styles))

    async def listed(self, guild: str, actor: str, name: str, entry: str, on: bool) -> Rules:
        """Put an entry on a list, or take it off; return the rules."""
        kept = [one for one in (await self.settings(guild)).get(name, ()) if one != entry]
        return await self.change(guild, actor, {name: [*kept, entry] if on else kept})

    async def undo(self, guild: str, actor: str) -> Rules:
        """Take the last change back, all of it if it was of several; this is a change, too."""
        audit = await self._store().audit(guild, LOOKED_THROUGH)
        ours = [one for one in audit if one.style is not None or one.subject in policy.settable()]
        last = [one for one in ours if one.at == ours[0].at]
        changes = {one.subject: one.before for one in last if one.style is None}
        styles = {one.style: _style(one.before) for one in last if one.style is not None}
        return Rules.decode(await self._store().change_settings(guild, actor, changes, styles))

    async def clear(self, guild: str, actor: str) -> Rules:
        """Forget all that was set; this is a change, too."""
        changes = dict.fromkeys(await self.settings(guild))
        return Rules.decode(await self._store().change_settings(guild, actor, changes))

    async def changes(self, guild: str, limit: int) -> list[Change]:
        """Return the last changes, newest first."""
        return await self._store().audit(guild, limit)

    def _store(self) -> GuildStore:
        if self._guilds is None:
            raise NoSettings
        return self._guilds


def _style(kept: Mapping[str, Any] | None) -> Style | None:
    return None if kept is None else Style(**kept)
