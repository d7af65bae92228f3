"""Whether a member lets Easel write to them where a result cannot be shown in its channel.

The choice lies beside the member's defaults, so that it ends together with them.
"""

from __future__ import annotations

from bot.errors import SettingsUnavailable
from storage.guilds import GuildStore

DM_PREFERENCE_KEY = "direct_messages"
"""Under which it lies among what a member chose."""


class DmPreferences:
    """What members chose."""

    def __init__(self, guilds: GuildStore | None) -> None:
        self._guilds = guilds

    async def is_dm_allowed(self, owner: str) -> bool:
        """Whether a member allowed it; nobody has until they say so."""
        if self._guilds is None:
            return False
        return (await self._guilds.member_defaults(owner)).get(DM_PREFERENCE_KEY) is True

    async def set_dm_allowed(self, owner: str, *, is_allowed: bool) -> None:
        """Note what a member chose.

        Raises:
            SettingsUnavailable: there is nowhere to keep it.
        """
        if self._guilds is None:
            raise SettingsUnavailable
        defaults = {**await self._guilds.member_defaults(owner), DM_PREFERENCE_KEY: is_allowed}
        await self._guilds.put_member_defaults(owner, defaults)
