"""Which permissions Easel needs on a server, and the link that gives it them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

import discord

AUTHORIZE_URL = "https://discord.com/oauth2/authorize"
#: In this order: “bot” before another word looks like the header of a secret (redaction.py).
INVITE_SCOPES = ("applications.commands", "bot")
#: What Easel needs, by discord.py's names, and what for; nothing else is asked of a server.
NEEDED_PERMISSIONS = {
    "view_channel": "to see the channels in which it is asked",
    "send_messages": "to post results that come late, and answers to mentions",
    "send_messages_in_threads": "to do the same in threads",
    "attach_files": "to post the pictures",
    "read_message_history": "to reply to messages, and to find results after a crash",
}
#: As Discord's own settings call them.
PERMISSION_TITLES = {
    "view_channel": "View Channels",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
}


def needed_permissions() -> discord.Permissions:
    """Give the permissions that Easel needs as one value."""
    return discord.Permissions(**dict.fromkeys(NEEDED_PERMISSIONS, True))


def invite_url(application_id: int, guild_id: int | None = None) -> str:
    """Write the link that invites the bot, or gives it on a server what it lacks there."""
    fields = {
        "client_id": str(application_id),
        "scope": " ".join(INVITE_SCOPES),
        "permissions": str(needed_permissions().value),
    }
    if guild_id is not None:
        fields |= {"guild_id": str(guild_id), "disable_guild_select": "true"}
    return f"{AUTHORIZE_URL}?{urlencode(fields)}"


def list_missing(permissions: discord.Permissions) -> list[str]:
    """List what Easel needs and these permissions lack, by discord.py's names."""
    return [name for name in NEEDED_PERMISSIONS if not getattr(permissions, name)]


def title_permissions(names: Iterable[str]) -> str:
    """Write permissions as Discord's settings call them."""
    return ", ".join(PERMISSION_TITLES[name] for name in names)
