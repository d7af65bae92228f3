"""Where the pictures of a job come from: attached, or stored with an earlier job."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

import discord

from bot.attachments import PictureReader
from bot.pictures import CheckedPicture
from storage.blobs import BlobStore
from storage.errors import BlobMissing

PNG_SIZE = slice(16, 24)  # where a PNG's header keeps width and height, big-endian


class Source(Protocol):
    """A picture that can be had."""

    async def look(self, reader: PictureReader) -> None:
        """Refuse what can be told without fetching it.

        Raises:
            PictureRefused: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def read(self, reader: PictureReader) -> CheckedPicture:
        """Fetch and check it.

        Raises:
            PictureRefused: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def raw(self, reader: PictureReader) -> bytes:
        """Fetch the file as it is, unchecked; only for reading what it says about itself.

        Raises:
            PictureRefused: it is gone.
            BlobMissing: it is no longer stored.
        """
        ...


@dataclass(frozen=True)
class Attached:
    """A file that a member sent with a command, a form or a message."""

    attachment: discord.Attachment

    async def look(self, reader: PictureReader) -> None:
        """Refuse by size and kind of file."""
        reader.refuse_early(self.attachment)

    async def read(self, reader: PictureReader) -> CheckedPicture:
        """Fetch it from Discord and check it."""
        return await reader.read(self.attachment)

    async def raw(self, reader: PictureReader) -> bytes:
        """Fetch it from Discord."""
        return await reader.fetch(self.attachment)


@dataclass(frozen=True)
class Stored:
    """A picture that an earlier job started from or came to; it was checked, or made, by Easel."""

    key: str
    blobs: BlobStore

    async def look(self, reader: PictureReader) -> None:
        """Refuse what retention has swept away."""
        if not await self.blobs.exists(self.key):
            raise BlobMissing(self.key)

    async def read(self, reader: PictureReader) -> CheckedPicture:
        """Read it from the store."""
        data = await self.raw(reader)
        width, height = struct.unpack(">II", data[PNG_SIZE])
        return CheckedPicture(data=data, width=width, height=height)

    async def raw(self, reader: PictureReader) -> bytes:
        """Read it from the store."""
        return await self.blobs.get(self.key)
