"""Change what a server has set: checked as a whole, recorded, and undoable."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.guilds.settings import GuildSettings, list_setting_types, validate_changes
from storage.guilds import NO_STYLES, GuildStore, PromptStyle, SettingsChange

MAX_UNDO_ENTRIES = 200  # changes: many more than one file makes


class GuildSettingsEditor:
    """Read, change, reset and undo what servers have set."""

    def __init__(
        self, guilds: GuildStore, host_limits: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Change what is stored; `host_limits` is what holds of a ceiling that is not set."""
        self._guilds = guilds
        self.host_limits = host_limits

    async def stored_settings(self, guild: str) -> dict[str, Any]:
        """Return what a server has set, as storage keeps it."""
        return await self._guilds.get_settings(guild)

    async def guild_settings(self, guild: str) -> GuildSettings:
        """Return a server's settings."""
        return GuildSettings.from_stored(await self.stored_settings(guild))

    async def styles_by_name(self, guild: str) -> dict[str, PromptStyle]:
        """Return a server's styles by name."""
        return {style.name: style for style in await self._guilds.list_styles(guild)}

    async def apply_changes(
        self,
        guild: str,
        actor: str,
        values: Mapping[str, Any],
        styles: Mapping[str, PromptStyle | None] = NO_STYLES,
    ) -> GuildSettings:
        """Set all of `values` and `styles`, None taking one back, or nothing; return the settings.

        Raises:
            BadSetting: one of them is impossible.
        """
        changes = validate_changes(values)
        return GuildSettings.from_stored(
            await self._guilds.change_settings(guild, actor, changes, styles)
        )

    async def toggle_list_entry(
        self, guild: str, actor: str, name: str, entry: str, on: bool
    ) -> GuildSettings:
        """Put an entry on a list, or take it off; return the settings."""
        other_entries = [
            list_entry
            for list_entry in (await self.stored_settings(guild)).get(name, ())
            if list_entry != entry
        ]
        return await self.apply_changes(
            guild, actor, {name: [*other_entries, entry] if on else other_entries}
        )

    async def undo_last(self, guild: str, actor: str) -> GuildSettings:
        """Take the last change back, all of it if it was of several; this is a change, too."""
        audit = await self._guilds.list_changes(guild, MAX_UNDO_ENTRIES)
        ours = [
            change
            for change in audit
            if change.style_name is not None or change.subject in list_setting_types()
        ]
        last = [change for change in ours if change.at == ours[0].at]
        changes = {change.subject: change.before for change in last if change.style_name is None}
        styles = {
            change.style_name: _style_from_audit(change.before)
            for change in last
            if change.style_name is not None
        }
        return GuildSettings.from_stored(
            await self._guilds.change_settings(guild, actor, changes, styles)
        )

    async def reset_settings(self, guild: str, actor: str) -> GuildSettings:
        """Forget all that was set; this is a change, too."""
        changes = dict.fromkeys(await self.stored_settings(guild))
        return GuildSettings.from_stored(await self._guilds.change_settings(guild, actor, changes))

    async def recent_changes(self, guild: str, limit: int) -> list[SettingsChange]:
        """Return the last changes, newest first."""
        return await self._guilds.list_changes(guild, limit)


def _style_from_audit(audit_value: Mapping[str, Any] | None) -> PromptStyle | None:
    return None if audit_value is None else PromptStyle(**audit_value)
