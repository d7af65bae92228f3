"""What the stand-in for Discord knows: messages, files, interactions, commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.doubles.cards import walk_parts, words_of

TOKEN_LIFE = 15 * 60.0  # seconds
NONCE_LIFE = 3 * 60.0  # seconds; Discord says "the past few minutes"
EPOCH = 1_420_070_400  # Discord's own, in seconds since 1970
EPHEMERAL = 1 << 6
UPLOAD_LIMIT = 10 * 2**20  # bytes

APPLICATION, GUILD, CHANNEL = "100", "200", "300"
BOT_USER = {
    "id": APPLICATION,
    "username": "easel",
    "discriminator": "0000",
    "avatar": None,
    "global_name": None,
    "bot": True,
}

MEMBER_USER = {
    "id": "500",
    "username": "eve",
    "discriminator": "0000",
    "avatar": None,
    "global_name": None,
}


@dataclass
class StoredFile:
    """An attachment as the content server keeps it."""

    id: str
    name: str
    data: bytes
    media_type: str
    description: str | None = None

    def payload(self, origin: str) -> dict[str, Any]:
        address = f"{origin}/cdn/{self.id}/{self.name}"
        return {
            "id": self.id,
            "filename": self.name,
            "size": len(self.data),
            "url": address,
            "proxy_url": address,
            "content_type": self.media_type,
            "description": self.description,
        }


@dataclass
class Message:
    """A message of the channel, by default one that the bot sent."""

    id: str
    channel: str
    content: str = ""
    components: list[Any] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    deleted: bool = False
    edits: int = 0
    author: Mapping[str, Any] = field(default_factory=lambda: BOT_USER)

    @property
    def visible(self) -> bool:
        """Whether every member of the channel sees it."""
        return not self.deleted and not self.flags & EPHEMERAL

    @property
    def buttons(self) -> dict[str, str]:
        """Its buttons: custom id by label; what has no label goes by its custom id."""
        return {
            item.get("label") or item["custom_id"]: item["custom_id"]
            for item in walk_parts(self.components)
            if "custom_id" in item
        }

    def payload(self, origin: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": 0,
            "channel_id": self.channel,
            "author": self.author,
            "content": self.content,
            "timestamp": datetime.now(UTC).isoformat(),
            "edited_timestamp": datetime.now(UTC).isoformat() if self.edits else None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [file.payload(origin) for file in self.files],
            "embeds": [],
            "pinned": False,
            "flags": self.flags,
            "components": self.components,
            **({"application_id": APPLICATION} if self.author is BOT_USER else {}),
            **({"nonce": self.nonce} if self.nonce else {}),
        }


@dataclass
class Interaction:
    """A command or a press of a button, and what the bot answered."""

    id: str
    token: str
    born: float
    #: The message that "@original" means: the answer, or the message of the pressed button.
    original: Message | None = None
    acknowledged: bool = False
    #: When the first answer came, on the same clock as `born`.
    answered: float | None = None
    follow_ups: list[Message] = field(default_factory=list)

    def expire(self) -> None:
        """Let its token end before its time."""
        self.born = -TOKEN_LIFE

    @property
    def expired(self) -> bool:
        return time.monotonic() - self.born > TOKEN_LIFE

    @property
    def shown(self) -> str:
        """What the bot's own answer says by now; nothing before there is one."""
        if not self.acknowledged or self.original is None:
            return ""
        return words_of(self.answer.content, self.answer.components)

    @property
    def answer(self) -> Message:
        """The bot's first answer."""
        if self.original is None:
            raise AssertionError("the interaction has not been answered")
        return self.original


class DiscordState:
    """One server with one text channel, as Discord would keep it."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.files: dict[str, StoredFile] = {}
        self.interactions: dict[str, Interaction] = {}
        self.commands: dict[str, dict[str, Any]] = {}
        #: Who did something on the server, by id.
        self.members: dict[str, dict[str, Any]] = {}
        #: Every request: method, path, and the status that was answered (0: dropped).
        self.requests: list[tuple[str, str, int]] = []
        self.changed = asyncio.Condition()
        self._nonces: dict[str, tuple[float, Message]] = {}
        self._last_id = 0

    def next_id(self) -> str:
        """Return an id that tells the time, as Discord's do, and is larger than all before."""
        born = int((time.time() - EPOCH) * 1000) << 22
        self._last_id = max(self._last_id + 1, born)
        return str(self._last_id)

    async def notify(self) -> None:
        """Wake those who wait for something to become true."""
        async with self.changed:
            self.changed.notify_all()

    def add_file(
        self, name: str, data: bytes, media_type: str, description: str | None = None
    ) -> StoredFile:
        file = StoredFile(self.next_id(), name, data, media_type, description)
        self.files[file.id] = file
        return file

    def add_message(self, body: Mapping[str, Any], uploads: Sequence[StoredFile]) -> Message:
        message = Message(self.next_id(), CHANNEL, flags=body.get("flags") or 0)
        self.edit(message, body, uploads)
        message.edits = 0
        self.messages[message.id] = message
        return message

    def edit(
        self, message: Message, body: Mapping[str, Any], uploads: Sequence[StoredFile]
    ) -> None:
        """Change what `body` names; files that it does not list any more go."""
        message.content = body.get("content", message.content) or ""
        message.components = body.get("components", message.components) or []
        if "attachments" in body:
            described = {str(item["id"]): item for item in body["attachments"]}
            message.files = [file for file in message.files if file.id in described]
        for number, file in enumerate(uploads):
            listed = body.get("attachments") or []
            item: Mapping[str, Any] = next(
                (each for each in listed if str(each["id"]) == str(number)), {}
            )
            file.description = item.get("description")
            message.files.append(file)
        message.edits += 1

    def repeated(self, nonce: str) -> Message | None:
        """Find the message that was sent with the same nonce a short while ago."""
        born, message = self._nonces.get(nonce, (0.0, None))
        return message if message and time.monotonic() - born < NONCE_LIFE else None

    def remember(self, nonce: str, message: Message) -> None:
        message.nonce = nonce
        self._nonces[nonce] = (time.monotonic(), message)

    def forget_nonces(self) -> None:
        """Let the minutes pass for which a nonce is known."""
        self._nonces.clear()

    def chat(self, count: int) -> None:
        """Let members write so many messages that have nothing to do with the bot."""
        for _ in range(count):
            message = Message(self.next_id(), CHANNEL, content="a nice day", author=MEMBER_USER)
            self.messages[message.id] = message

    def publish(self, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Replace the application's commands."""
        self.commands = {
            command["name"]: {
                "id": self.next_id(),
                "application_id": APPLICATION,
                "version": self.next_id(),
                "type": 1,
                "default_member_permissions": None,
                "description": "",
                **command,
            }
            for command in commands
        }
        return list(self.commands.values())

    def visible(self) -> list[Message]:
        """List what a member sees in the channel, oldest first."""
        return [message for message in self.messages.values() if message.visible]

    def with_files(self) -> list[Message]:
        """List the visible messages that show pictures."""
        return [message for message in self.visible() if message.files]

    def holding(self, test: Callable[[Message], bool]) -> Iterator[Message]:
        return (message for message in self.visible() if test(message))
