"""Whether a member lets Easel write to them where a result cannot be shown in its channel.

The choice lies beside the member's defaults, so that it ends together with them.
"""

from __future__ import annotations

from bot.errors import NoSettings
from storage.guilds import GuildStore

KEY = "direct_messages"
"""Under which it lies among what a member chose."""


class DirectMessages:
    """What members chose."""

    def __init__(self, guilds: GuildStore | None) -> None:
        self._guilds = guilds

    async def allowed(self, owner: str) -> bool:
        """Whether a member allowed it; nobody has until they say so."""
        if self._guilds is None:
            return False
        return (await self._guilds.member_defaults(owner)).get(KEY) is True

    async def allow(self, owner: str, *, allowed: bool) -> None:
        """Note what a member chose.

        Raises:
            NoSettings: there is nowhere to keep it.
        """
        if self._guilds is None:
            raise NoSettings
        chosen = {**await self._guilds.member_defaults(owner), KEY: allowed}
        await self._guilds.put_member_defaults(owner, chosen)
