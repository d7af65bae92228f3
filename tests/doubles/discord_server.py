"""A stand-in for Discord on this machine: the bot's process connects to it as to the real one.

It serves the gateway and the routes that Easel uses, keeps what members would see, and does what
Discord does where deliveries go wrong: answers lost after they were applied, repeated nonces,
tokens that ran out. It is here only for what simcord cannot do, which lives in the bot's own
process: tests that start the bot as a process, kill it, and start it again. All others use simcord.

```python
async with DiscordServer() as discord:
    ...  # start a bot with `discord.environment`
    await discord.until(lambda: discord.connected)
    asked = await discord.slash("ada", "img2img", image=("photo.png", data), prompt="a fox")
```
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from tests.doubles.discord_faults import Faults
from tests.doubles.discord_gateway import TEXT_CHANNEL, Gateway
from tests.doubles.discord_rest import Rest
from tests.doubles.discord_state import (
    APPLICATION,
    CHANNEL,
    GUILD,
    UPLOAD_LIMIT,
    DiscordState,
    Interaction,
    Message,
    StoredFile,
)
from tests.patience import PATIENCE

TOKEN = "stand-in.token"
COMMAND, COMPONENT = 2, 3
BUTTON = 2
ATTACHMENT = 11
ALL_PERMISSIONS = str((1 << 53) - 1)


class DiscordServer:
    """Discord, as far as Easel can tell."""

    def __init__(self) -> None:
        self.state = DiscordState()
        self.faults = Faults()
        self.gateway = Gateway(self.state, TOKEN)
        self._rest = Rest(self.state, self.faults, TOKEN)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = self._rest.application()
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/gateway/", self.gateway.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        (address, *_) = self._runner.addresses
        self._rest.origin = f"http://127.0.0.1:{address[1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.gateway.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """What a bot needs in its environment to come here."""
        origin = self._rest.origin
        return {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_BASE": f"{origin}/api/v10",
            "DISCORD_GATEWAY_URL": f"{origin.replace('http', 'ws')}/gateway",
        }

    @property
    def connected(self) -> bool:
        """Whether a bot is there."""
        return self.gateway.connected

    @property
    def visible(self) -> list[Message]:
        """What a member sees in the channel, oldest first."""
        return self.state.visible()

    def results(self, job_id: str | None = None) -> list[Message]:
        """List the visible messages that show the end of a job, or of any."""
        return [
            message
            for message in self.visible
            if any(
                custom.endswith(job_id or "") and not custom.startswith("easel:cancel:")
                for custom in message.buttons.values()
            )
        ]

    async def until(self, test: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Wait until something is true of what members see.

        Raises:
            TimeoutError: it did not become true; the message says what they see.
        """
        deadline = time.monotonic() + patience
        while not test():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(self._seen())
            async with self.state.changed:
                # Not everything that is waited for changes something here.
                try:
                    await asyncio.wait_for(self.state.changed.wait(), min(left, 0.2))
                except TimeoutError:
                    continue

    # What members do.

    async def slash(self, member: str, command: str, **options: Any) -> Interaction:
        """Type a command; pictures are given as a name and their bytes.

        Raises:
            ConnectionError: no bot is connected.
        """
        declared = self.state.commands[command]
        kinds = {option["name"]: option["type"] for option in declared.get("options", ())}
        attached: dict[str, Any] = {}
        given = []
        for name, value in options.items():
            if kinds[name] == ATTACHMENT:
                file = self._attach(*value)
                attached[file.id] = file.payload(self._rest.origin)
                value = file.id
            given.append({"name": name, "type": kinds[name], "value": value})
        data = {
            "id": declared["id"],
            "name": command,
            "type": 1,
            "options": given,
            "resolved": {"attachments": attached},
        }
        return await self._interact(member, COMMAND, data)

    async def click(self, member: str, message: Message, label: str) -> Interaction:
        """Press a button.

        Raises:
            ConnectionError: no bot is connected.
        """
        data = {"custom_id": message.buttons[label], "component_type": BUTTON}
        return await self._interact(member, COMPONENT, data, message)

    def _attach(self, name: str, data: bytes) -> StoredFile:
        kind = "image/" + name.rpartition(".")[2].replace("jpg", "jpeg")
        return self.state.add_file(name, data, kind)

    async def _interact(
        self, member: str, kind: int, data: dict[str, Any], message: Message | None = None
    ) -> Interaction:
        id = self.state.next_id()
        interaction = Interaction(id, f"token-{id}", time.monotonic(), original=message)
        payload: dict[str, Any] = {
            "id": id,
            "application_id": APPLICATION,
            "type": kind,
            "data": data,
            "guild_id": GUILD,
            "channel_id": CHANNEL,
            "channel": TEXT_CHANNEL,
            "member": _member(member),
            "token": interaction.token,
            "version": 1,
            "locale": "en-US",
            "guild_locale": "en-US",
            "app_permissions": ALL_PERMISSIONS,
            "entitlements": [],
            "authorizing_integration_owners": {"0": GUILD},
            "context": 0,
            "attachment_size_limit": UPLOAD_LIMIT,
        }
        if message is not None:
            payload["message"] = message.payload(self._rest.origin)
        self.state.interactions[interaction.token] = interaction
        self.state.members[payload["member"]["user"]["id"]] = payload["member"]
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return interaction

    def _seen(self) -> str:
        lines = [
            f"{message.id} {message.content!r} files={len(message.files)} {list(message.buttons)}"
            for message in self.state.messages.values()
        ]
        last = [f"{method} {path} {status}" for method, path, status in self.state.requests[-12:]]
        return "\n".join(["it did not happen; there is", *lines, "after", *last])


def _member(name: str) -> dict[str, Any]:
    user = {
        "id": str(1000 + sum(ord(sign) * 31**place for place, sign in enumerate(name))),
        "username": name,
        "discriminator": "0",
        "avatar": None,
        "global_name": name,
    }
    return {
        "user": user,
        "nick": None,
        "avatar": None,
        "roles": [],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "permissions": ALL_PERMISSIONS,
    }
