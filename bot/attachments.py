"""Attachment → checked picture bytes: bounded before decoding, decoded off the loop, re-encoded."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import discord

from bot.errors import BrokenPicture, EmptyFile, FileGone, FileTooLarge, NotAPicture
from bot.metadata import read_parameters
from bot.pictures import CheckedPicture, PictureLimits, check_picture

DECODERS = 2  # pictures decoded at once: each may take 4 bytes a pixel several times over
DECODE_TIMEOUT = 20.0  # seconds
OTHER_MEDIA = ("text/", "video/", "audio/", "font/", "model/")


class PictureReader:
    """Fetches what members attach and lets nothing through that has not been checked."""

    def __init__(self, limits: PictureLimits) -> None:
        self.limits = limits
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")

    def refuse_early(self, attachment: discord.Attachment) -> None:
        """Refuse by what Discord says of the file, before anything is fetched.

        Raises:
            PictureRefused: empty, too large, or of another medium than pictures.
        """
        name = attachment.filename
        if attachment.size == 0:
            raise EmptyFile(name)
        if attachment.size > self.limits.max_bytes:
            raise FileTooLarge(name, attachment.size, self.limits.max_bytes)
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
        """Read in a thread what a file says about its making; empty where it says nothing."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._decoders, read_parameters, data)
        try:
            return await asyncio.wait_for(work, DECODE_TIMEOUT)
        except TimeoutError:
            return ""

    async def check(self, data: bytes, name: str) -> CheckedPicture:
        """Decode and re-encode a picture in a thread.

        Raises:
            PictureRefused: says what is wrong with it and what to change.
        """
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._decoders, check_picture, data, name, self.limits)
        try:
            return await asyncio.wait_for(work, DECODE_TIMEOUT)
        except TimeoutError as error:
            raise BrokenPicture(name) from error

    def close(self) -> None:
        """Let the threads end."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
