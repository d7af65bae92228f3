"""The websocket over which Discord tells the bot what happens."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

from aiohttp import WSMsgType, web

from tests.doubles.discord_state import APPLICATION, BOT_USER, CHANNEL, GUILD, DiscordState

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, ACK = 0, 1, 2, 6, 9, 10, 11
BAD_TOKEN = 4004  # the websocket's close code
HEARTBEAT_INTERVAL = 40_000  # milliseconds
JOINED = "2026-01-01T00:00:00+00:00"

TEXT_CHANNEL = {
    "id": CHANNEL,
    "type": 0,
    "guild_id": GUILD,
    "name": "easel",
    "position": 0,
    "permission_overwrites": [],
    "nsfw": False,
    "parent_id": None,
    "topic": None,
    "last_message_id": None,
    "rate_limit_per_user": 0,
}


class Gateway:
    """Serves one connection at a time; a new one takes the place of the old."""

    def __init__(self, state: DiscordState, token: str) -> None:
        self.state = state
        #: When the bot last identified itself, on the monotonic clock.
        self.identified_at = 0.0
        self.sessions = 0
        self._token = token
        self._socket: web.WebSocketResponse | None = None
        self._sequence = itertools.count(1)

    @property
    def connected(self) -> bool:
        """Whether a bot has identified itself and is still there."""
        return self._socket is not None and not self._socket.closed

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._say(socket, HELLO, {"heartbeat_interval": HEARTBEAT_INTERVAL})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            message = json.loads(frame.data)
            await self._heard(request, socket, message["op"], message.get("d"))
        if self._socket is socket:
            self._socket = None
        await self.state.notify()
        return socket

    async def _heard(
        self, request: web.Request, socket: web.WebSocketResponse, op: int, data: Any
    ) -> None:
        if op == HEARTBEAT:
            # discord.py notes the time of a beat after sending it: no network is as quick as this.
            await asyncio.sleep(0.05)
            await self._say(socket, ACK, None)
        elif op == RESUME:
            await self._say(socket, INVALID_SESSION, False)
        elif op == IDENTIFY and data["token"] != self._token:
            await socket.close(code=BAD_TOKEN)
        elif op == IDENTIFY:
            self._socket = socket
            self.sessions += 1
            self.identified_at = time.monotonic()
            await self.dispatch("READY", self._ready(request))
            await self.dispatch("GUILD_CREATE", _guild())
            await self.state.notify()

    def _ready(self, request: web.Request) -> dict[str, Any]:
        return {
            "v": 10,
            "user": BOT_USER,
            "guilds": [{"id": GUILD, "unavailable": True}],
            "session_id": f"session-{self.sessions}",
            "resume_gateway_url": f"ws://{request.host}/gateway",
            "application": {"id": APPLICATION, "flags": 0},
            "shard": [0, 1],
        }

    async def dispatch(self, event: str, data: Any) -> None:
        """Tell the bot of an event."""
        if self._socket is None or self._socket.closed:
            raise ConnectionError("no bot is connected")
        await self._say(self._socket, DISPATCH, data, s=next(self._sequence), t=event)

    async def close(self, code: int = 1001) -> None:
        """Hang up, as Discord does now and then."""
        if self._socket is not None:
            await self._socket.close(code=code)

    async def _say(self, socket: web.WebSocketResponse, op: int, data: Any, **more: object) -> None:
        await socket.send_str(json.dumps({"op": op, "d": data, **more}))


def _guild() -> dict[str, Any]:
    everyone = {
        "id": GUILD,
        "name": "@everyone",
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": 0,
        "permissions": str(1 << 11 | 1 << 10 | 1 << 15 | 1 << 16),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }
    return {
        "id": GUILD,
        "name": "studio",
        "owner_id": "1",
        "unavailable": False,
        "roles": [everyone],
        "channels": [TEXT_CHANNEL],
        "members": [{"user": BOT_USER, "roles": [], "joined_at": JOINED, "flags": 0}],
        "emojis": [],
        "features": [],
        "threads": [],
        "voice_states": [],
        "presences": [],
        "stickers": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "member_count": 2,
        "large": False,
        "premium_tier": 0,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "preferred_locale": "en-US",
        "system_channel_flags": 0,
        "afk_timeout": 0,
    }
