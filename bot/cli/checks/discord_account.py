"""Who a token belongs to, on which servers it is, and what it may do there: asked by REST alone."""

from __future__ import annotations

import asyncio
import functools
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import discord

from bot.errors import DiscordUnreachable, TokenRefused
from bot.support.invitation import list_missing

API_BASE = "https://discord.com/api/v10"
REQUEST_TIMEOUT_SECONDS = 15.0  # seconds
#: Servers whose channels are looked through, and kinds of channels in which members ask.
MAX_CHECKED_GUILDS, TEXT_CHANNEL_TYPES = 20, (0, 5)
#: Three parts of a token, of which the first is the bot's id.
TOKEN_PATTERN = re.compile(r"[\w-]{20,}\.[\w-]{5,}\.[\w-]{25,}")
HEXADECIMAL_PATTERN = re.compile(r"[0-9a-f]{64}")
#: Flags of an application that tell of its privileged intents, verified and not.
MESSAGE_CONTENT_FLAGS = (1 << 18) | (1 << 19)


@dataclass(frozen=True)
class GuildAccess:
    """A server that the bot is on, and what it lacks there."""

    guild_id: int
    name: str
    #: What its roles lack on the whole server.
    missing: tuple[str, ...] = ()
    #: Channels whose own settings take something away, and what.
    missing_by_channel: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class DiscordAccount:
    """The application of a token and its bot."""

    application_id: int
    bot_id: int
    bot_name: str
    #: Whether everybody may invite it, and whether a code is asked for, which breaks invitations.
    is_public: bool
    requires_code_grant: bool
    reads_all_messages: bool
    guilds: tuple[GuildAccess, ...]


async def read_account(token: str, api_base: str | None = None) -> DiscordAccount:
    """Ask Discord whose a token is, and look at each server that its bot is on.

    Raises:
        TokenRefused: it is no bot's token; the message says what it looks like.
        DiscordUnreachable: Discord does not answer, or answers with nonsense.
    """
    _check_shape(token)
    headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (easel, 1)"}
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
    base = (api_base or API_BASE).rstrip("/")
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            return await _read_account(session, base)
    except aiohttp.ClientResponseError as error:
        if error.status in (401, 403):
            raise TokenRefused(
                "Discord does not know this token. It may have been reset since: open your "
                "application at https://discord.com/developers/applications, page Bot, press "
                "Reset Token and copy the new one."
            ) from error
        raise DiscordUnreachable(
            f"Discord answered with {error.status} {error.message}; try again in a minute."
        ) from error
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise DiscordUnreachable(
            f"Discord cannot be reached at {base} ({type(error).__name__}); check the network."
        ) from error


def _check_shape(token: str) -> None:
    """See that a text can be a bot's token.

    Raises:
        TokenRefused: it cannot; the message says what it looks like instead.
    """
    if TOKEN_PATTERN.fullmatch(token):
        return
    looks_like = "It is not of the form of a bot's token, which is three parts with dots between."
    if token.isdigit():
        looks_like = "This is an id, not a token."
    elif HEXADECIMAL_PATTERN.fullmatch(token):
        looks_like = "This is the application's public key, not its bot's token."
    elif "." not in token and 30 <= len(token) <= 40:
        looks_like = "This looks like the client secret of the page OAuth2, not the bot's token."
    elif token.lower().startswith("bot "):
        looks_like = "Leave out the word Bot before the token."
    raise TokenRefused(
        f"{looks_like} Copy the token from the page Bot of your application at "
        "https://discord.com/developers/applications."
    )


async def _read_account(session: aiohttp.ClientSession, base: str) -> DiscordAccount:
    user = await _get_json(session, f"{base}/users/@me")
    application = await _get_json(session, f"{base}/applications/@me")
    guilds = await _get_json(session, f"{base}/users/@me/guilds")
    bot_id = int(user["id"])
    accesses = [
        await _read_guild(session, base, guild, bot_id) for guild in guilds[:MAX_CHECKED_GUILDS]
    ]
    accesses += [
        GuildAccess(int(guild["id"]), str(guild["name"])) for guild in guilds[MAX_CHECKED_GUILDS:]
    ]
    return DiscordAccount(
        int(application["id"]),
        bot_id,
        str(user["username"]),
        bool(application.get("bot_public", True)),
        bool(application.get("bot_require_code_grant", False)),
        bool(int(application.get("flags") or 0) & MESSAGE_CONTENT_FLAGS),
        tuple(accesses),
    )


async def _read_guild(
    session: aiohttp.ClientSession, base: str, guild: Mapping[str, Any], bot_id: int
) -> GuildAccess:
    """Look at what the bot may do on a server and in each of its channels that it sees."""
    guild_id = int(guild["id"])
    roles, channels, member = await asyncio.gather(
        _get_json(session, f"{base}/guilds/{guild_id}/roles"),
        _get_json(session, f"{base}/guilds/{guild_id}/channels"),
        _get_json(session, f"{base}/guilds/{guild_id}/members/{bot_id}"),
    )
    role_ids = {guild_id, *map(int, member["roles"])}
    server_wide = join_permissions(
        int(role["permissions"]) for role in roles if int(role["id"]) in role_ids
    )
    everyone = join_permissions(
        int(role["permissions"]) for role in roles if int(role["id"]) == guild_id
    )
    missing = tuple(list_missing(server_wide))
    missing_by_channel = {}
    for channel in channels:
        if channel["type"] not in TEXT_CHANNEL_TYPES:
            continue
        overwrites = channel.get("permission_overwrites") or ()
        members = apply_overwrites(everyone, overwrites, guild_id, {guild_id}, 0)
        if not members.send_messages:  # where nobody writes, nobody asks
            continue
        in_channel = apply_overwrites(server_wide, overwrites, guild_id, role_ids, bot_id)
        lacking = tuple(name for name in list_missing(in_channel) if name not in missing)
        # One that it does not see is one that it is kept out of.
        if lacking and "view_channel" not in lacking:
            missing_by_channel[str(channel["name"])] = lacking
    return GuildAccess(guild_id, str(guild["name"]), missing, missing_by_channel)


async def _get_json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        response.raise_for_status()
        return await response.json()


def join_permissions(values: Iterable[int]) -> discord.Permissions:
    """Join what several roles give; an administrator has everything."""
    permissions = discord.Permissions(_join_bits(values))
    return discord.Permissions.all() if permissions.administrator else permissions


def apply_overwrites(
    server_wide: discord.Permissions,
    overwrites: Sequence[Mapping[str, Any]],
    guild_id: int,
    role_ids: set[int],
    member_id: int,
) -> discord.Permissions:
    """Give the permissions in a channel: everyone's overwrite, then the roles', then the member's.

    The order is that of Discord's documentation, “Permission Overwrites”.
    """
    if server_wide.administrator:
        return server_wide
    by_id = {
        int(overwrite["id"]): (int(overwrite["allow"]), int(overwrite["deny"]))
        for overwrite in overwrites
    }
    value = server_wide.value
    everyone = by_id.get(guild_id, (0, 0))
    own_roles = [by_id[role] for role in role_ids - {guild_id} if role in by_id]
    roles = (
        _join_bits(allow for allow, _ in own_roles),
        _join_bits(deny for _, deny in own_roles),
    )
    for allow, deny in (everyone, roles, by_id.get(member_id, (0, 0))):
        value = (value & ~deny) | allow
    return discord.Permissions(value)


def _join_bits(values: Iterable[int]) -> int:
    return functools.reduce(operator.or_, values, 0)
