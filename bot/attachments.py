"""Attachment → checked picture bytes: bounded before fetching, decoded by the intake."""

from __future__ import annotations

import discord

from bot.errors import EmptyFile, FileGone, FileTooLarge, NotAPicture
from bot.intake.pool import Intake
from bot.pictures import CheckedPicture
from inference.infotext.told import Told

OTHER_MEDIA = ("text/", "video/", "audio/", "font/", "model/")


class PictureReader:
    """Fetches what members attach and lets nothing through that has not been checked."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def refuse_early(self, attachment: discord.Attachment) -> None:
        """Refuse by what Discord says of the file, before anything is fetched.

        Raises:
            PictureRefused: empty, too large, or of another medium than pictures.
        """
        name = attachment.filename
        if attachment.size == 0:
            raise EmptyFile(name)
        if attachment.size > self._intake.limits.max_bytes:
            raise FileTooLarge(name, attachment.size, self._intake.limits.max_bytes)
        medium = attachment.content_type or ""
        if medium.startswith(OTHER_MEDIA):
            raise NotAPicture(name, found=medium.partition(";")[0])

    async def read(self, attachment: discord.Attachment) -> CheckedPicture:
        """Fetch an attachment and check it.

        Raises:
            PictureRefused: says what is wrong with it and what to change.
        """
        return await self.check(await self.fetch(attachment), attachment.filename)

    async def fetch(self, attachment: discord.Attachment) -> bytes:
        """Fetch an attachment's bytes.

        Raises:
            PictureRefused: it is too large, of another medium, or gone.
        """
        self.refuse_early(attachment)
        try:
            return await attachment.read()
        except discord.HTTPException as error:
            raise FileGone(attachment.filename) from error

    async def parameters(self, data: bytes) -> str:
        """Read what a file says about its making; empty where it says nothing."""
        return await self._intake.parameters(data)

    async def making(self, data: bytes) -> Told | None:
        """Read what a file says about its making, for a job; None where it says nothing."""
        return await self._intake.making(data)

    async def check(self, data: bytes, name: str) -> CheckedPicture:
        """Decode and re-encode a picture.

        Raises:
            PictureRefused: says what is wrong with it and what to change.
        """
        return await self._intake.check(data, name)

    def start(self) -> None:
        """Be ready for the first picture."""
        self._intake.start()

    def close(self) -> None:
        """Let the decoders end."""
        self._intake.close()
