"""The pictures that a message shows, wherever in it they stand."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import discord

from bot.errors import AttachmentDeleted, NoImageInMessage
from bot.i18n.message import TranslatableMessage
from bot.requests.image_sources import AttachmentSource, ImageSource
from bot.uploads.reader import AttachmentReader
from bot.uploads.validation import CheckedImage

Fetch = Callable[[str], Awaitable[bytes]]

DISCORD_IMAGE_HOSTS = ("discordapp.com", "discordapp.net", "discord.com")
"""Where pictures are fetched from: never from an address that a stranger chose."""

JOB_CUSTOM_ID_PATTERN = re.compile(r"easel:[a-z]+(?:\.[a-z0-9]+)*:([0-9a-z]{20})")
MAX_NAME_LENGTH = 60  # characters


@dataclass(frozen=True)
class LinkSource:
    """A picture in an embed or a gallery, which Discord keeps or mirrors."""

    name: str
    url: str
    fetch: Fetch

    async def check_available(self, reader: AttachmentReader) -> None:
        """Nothing is known of it before it is fetched."""

    async def load_image(self, reader: AttachmentReader) -> CheckedImage:
        """Fetch it from Discord and check it."""
        return await reader.decode_image(await self.read_bytes(reader), self.name)

    async def read_bytes(self, reader: AttachmentReader) -> bytes:
        """Fetch the file as it is.

        Raises:
            AttachmentDeleted: Discord does not have it.
        """
        try:
            return await self.fetch(self.url)
        except discord.HTTPException as error:
            raise AttachmentDeleted(self.name) from error


def images_in_message(
    message: discord.Message, fetch: Fetch, hosts: tuple[str, ...] = DISCORD_IMAGE_HOSTS
) -> list[ImageSource]:
    """List the pictures of a message and of what it forwards: files, embeds, galleries."""
    sources: list[ImageSource] = []
    parts: tuple[discord.Message | discord.MessageSnapshot, ...]
    parts = (message, *message.message_snapshots)
    for part in parts:
        sources += [AttachmentSource(file) for file in part.attachments if is_image(file)]
        links = [*_in_embeds(part.embeds), *_in_components(part.components)]
        sources += [
            LinkSource(_image_name(url), url, fetch)
            for url in dict.fromkeys(links)
            if _is_trusted_url(url, hosts)
        ]
    return sources


def first_image(sources: list[ImageSource]) -> tuple[ImageSource, tuple[str, ...]]:
    """Choose the picture meant, and say so where there are more.

    Raises:
        NoImageInMessage: there is none.
    """
    if not sources:
        raise NoImageInMessage
    extra_note = TranslatableMessage("Used the first of its {count} pictures.", count=len(sources))
    return sources[0], (str(extra_note),) if len(sources) > 1 else ()


def job_id_of_message(message: discord.Message) -> str | None:
    """Return the id of the job that one of Easel's own messages shows."""
    for item in _iter_components(message.components):
        match = JOB_CUSTOM_ID_PATTERN.fullmatch(str(getattr(item, "custom_id", "") or ""))
        if match:
            return match[1]
    return None


def is_image(file: discord.Attachment) -> bool:
    """Whether a file may be a picture, by what Discord says of it."""
    return (file.content_type or "image/").startswith("image/")


def _in_embeds(embeds: Iterable[discord.Embed]) -> Iterator[str]:
    for embed in embeds:
        for media in (embed.image, embed.thumbnail):
            if url := media.proxy_url or media.url:
                yield url
                break


def _in_components(components: Iterable[Any]) -> Iterator[str]:
    for component in _iter_components(components):
        media = [item.media for item in getattr(component, "items", ())]
        if isinstance(component, discord.ThumbnailComponent | discord.FileComponent):
            media.append(component.media)
        for media_item in media:
            if (media_item.content_type or "image/").startswith("image/"):
                yield media_item.proxy_url or media_item.url


def _iter_components(components: Iterable[Any]) -> Iterator[Any]:
    for component in components:
        yield component
        yield from _iter_components(getattr(component, "children", ()))
        accessory = getattr(component, "accessory", None)
        if accessory is not None:
            yield accessory


def _is_trusted_url(url: str, hosts: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and any(host == h or host.endswith(f".{h}") for h in hosts)


def _image_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2][-MAX_NAME_LENGTH:] or "picture"
