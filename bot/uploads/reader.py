"""Attachment → checked picture bytes: bounded before fetching, decoded by the intake."""

from __future__ import annotations

import discord

from bot.errors import AttachmentDeleted, EmptyFile, FileTooLarge, NotAnImage
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import CheckedImage
from inference.api.infotext.readers import GenerationInfo

REJECTED_MEDIA_PREFIXES = ("text/", "video/", "audio/", "font/", "model/")


class AttachmentReader:
    """Fetches what members attach and lets nothing through that has not been checked."""

    def __init__(self, intake: DecoderPool) -> None:
        self._intake = intake

    def precheck_attachment(self, attachment: discord.Attachment) -> None:
        """Refuse by what Discord says of the file, before anything is fetched.

        Raises:
            ImageRejected: empty, too large, or of another medium than pictures.
        """
        name = attachment.filename
        if attachment.size == 0:
            raise EmptyFile(name)
        if attachment.size > self._intake.limits.max_bytes:
            raise FileTooLarge(name, attachment.size, self._intake.limits.max_bytes)
        medium = attachment.content_type or ""
        if medium.startswith(REJECTED_MEDIA_PREFIXES):
            raise NotAnImage(name, file_type=medium.partition(";")[0])

    async def read_image(self, attachment: discord.Attachment) -> CheckedImage:
        """Fetch an attachment and check it.

        Raises:
            ImageRejected: says what is wrong with it and what to change.
        """
        return await self.decode_image(await self.fetch_bytes(attachment), attachment.filename)

    async def fetch_bytes(self, attachment: discord.Attachment) -> bytes:
        """Fetch an attachment's bytes.

        Raises:
            ImageRejected: it is too large, of another medium, or gone.
        """
        self.precheck_attachment(attachment)
        try:
            return await attachment.read()
        except discord.HTTPException as error:
            raise AttachmentDeleted(attachment.filename) from error

    async def read_generation_text(self, data: bytes) -> str:
        """Read what a file says about its making; empty where it says nothing."""
        return await self._intake.read_generation_text(data)

    async def read_generation_info(self, data: bytes) -> GenerationInfo | None:
        """Read what a file says about its making, for a job; None where it says nothing."""
        return await self._intake.read_generation_info(data)

    async def decode_image(self, data: bytes, name: str) -> CheckedImage:
        """Decode and re-encode a picture.

        Raises:
            ImageRejected: says what is wrong with it and what to change.
        """
        return await self._intake.check_image(data, name)

    def start(self) -> None:
        """Be ready for the first picture."""
        self._intake.start()

    def close(self) -> None:
        """Let the decoders end."""
        self._intake.close()
