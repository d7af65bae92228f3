"""Who asks, where and as what: all that a server's settings are applied to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.guilds.settings import GuildSettings


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """Where a member asks, and as what."""

    #: The server's id; None in a direct message.
    guild_id: str | None = None
    #: The member's id.
    user_id: str = ""
    #: Ids of the channel and, for a thread, of the channel it belongs to.
    channels: frozenset[str] = frozenset()
    #: Ids of the member's roles.
    roles: frozenset[str] = frozenset()
    #: Whether the channel is age-restricted.
    age_restricted: bool = False
    #: The language of who asks, as far as it is known.
    user_language: str = ""
    #: The language of those who see the answer, where their server chose none.
    guild_language: str = ""
    #: Whether the answer is for the member alone, whatever the server wants.
    is_private: bool = False


def context_of(
    member: Any,
    channel: Any,
    *,
    guild_id: int | str | None,
    user_id: int | str,
    user_language: str = "",
    guild_language: str = "",
) -> RequestContext:
    """Read off a member and a channel what a server's settings are applied to."""
    ids = (getattr(channel, "id", None), getattr(channel, "parent_id", None))
    return RequestContext(
        guild_id=None if guild_id is None else str(guild_id),
        user_id=str(user_id),
        channels=frozenset(str(id) for id in ids if id is not None),
        roles=frozenset(str(role.id) for role in getattr(member, "roles", ())),
        age_restricted=is_age_restricted(channel),
        user_language=user_language,
        guild_language=guild_language,
    )


def is_age_restricted(channel: Any) -> bool:
    """Whether a channel, or the one that a thread belongs to, is age-restricted."""
    nsfw_check = getattr(channel, "is_nsfw", None)
    return bool(nsfw_check is not None and nsfw_check())


def reply_language(settings: GuildSettings, context: RequestContext) -> str:
    """Return the language of an answer: the member's own where they alone see it."""
    if context.is_private:
        return context.user_language
    return settings.channel_language(context.guild_language)
