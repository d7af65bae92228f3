"""Where the pictures of a job come from: attached, or stored with an earlier job."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

import discord

from bot.uploads.reader import AttachmentReader
from bot.uploads.validation import CheckedImage
from storage.blobs import BlobStore
from storage.errors import BlobMissing

PNG_SIZE = slice(16, 24)  # where a PNG's header keeps width and height, big-endian


class ImageSource(Protocol):
    """A picture that can be had."""

    async def check_available(self, reader: AttachmentReader) -> None:
        """Refuse what can be told without fetching it.

        Raises:
            ImageRejected: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def load_image(self, reader: AttachmentReader) -> CheckedImage:
        """Fetch and check it.

        Raises:
            ImageRejected: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def read_bytes(self, reader: AttachmentReader) -> bytes:
        """Fetch the file as it is, unchecked; only for reading what it says about itself.

        Raises:
            ImageRejected: it is gone.
            BlobMissing: it is no longer stored.
        """
        ...


@dataclass(frozen=True)
class AttachmentSource:
    """A file that a member sent with a command, a form or a message."""

    attachment: discord.Attachment

    async def check_available(self, reader: AttachmentReader) -> None:
        """Refuse by size and kind of file."""
        reader.precheck_attachment(self.attachment)

    async def load_image(self, reader: AttachmentReader) -> CheckedImage:
        """Fetch it from Discord and check it."""
        return await reader.read_image(self.attachment)

    async def read_bytes(self, reader: AttachmentReader) -> bytes:
        """Fetch it from Discord."""
        return await reader.fetch_bytes(self.attachment)


@dataclass(frozen=True)
class BlobSource:
    """A picture that an earlier job started from or came to; it was checked, or made, by Easel."""

    key: str
    blobs: BlobStore

    async def check_available(self, reader: AttachmentReader) -> None:
        """Refuse what retention has swept away."""
        if not await self.blobs.exists(self.key):
            raise BlobMissing(self.key)

    async def load_image(self, reader: AttachmentReader) -> CheckedImage:
        """Read it from the store."""
        data = await self.read_bytes(reader)
        width, height = struct.unpack(">II", data[PNG_SIZE])
        return CheckedImage(data=data, width=width, height=height)

    async def read_bytes(self, reader: AttachmentReader) -> bytes:
        """Read it from the store."""
        return await self.blobs.get(self.key)
