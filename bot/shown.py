"""The pictures that a message shows, wherever in it they stand."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import discord

from bot.attachments import PictureReader
from bot.errors import FileGone, NoPictureThere
from bot.pictures import CheckedPicture
from bot.sentences import Sentence
from bot.sources import Attached, Source

Fetch = Callable[[str], Awaitable[bytes]]

DISCORDS_HOSTS = ("discordapp.com", "discordapp.net", "discord.com")
"""Where pictures are fetched from: never from an address that a stranger chose."""

CUSTOM_ID = re.compile(r"easel:[a-z]+(?:\.[a-z0-9]+)*:([0-9a-z]{20})")
MAX_NAME = 60  # characters


@dataclass(frozen=True)
class Linked:
    """A picture in an embed or a gallery, which Discord keeps or mirrors."""

    name: str
    url: str
    fetch: Fetch

    async def look(self, reader: PictureReader) -> None:
        """Nothing is known of it before it is fetched."""

    async def read(self, reader: PictureReader) -> CheckedPicture:
        """Fetch it from Discord and check it."""
        return await reader.check(await self.raw(reader), self.name)

    async def raw(self, reader: PictureReader) -> bytes:
        """Fetch the file as it is.

        Raises:
            FileGone: Discord does not have it.
        """
        try:
            return await self.fetch(self.url)
        except discord.HTTPException as error:
            raise FileGone(self.name) from error


def pictures_in(
    message: discord.Message, fetch: Fetch, hosts: tuple[str, ...] = DISCORDS_HOSTS
) -> list[Source]:
    """List the pictures of a message and of what it forwards: files, embeds, galleries."""
    found: list[Source] = []
    parts: tuple[discord.Message | discord.MessageSnapshot, ...]
    parts = (message, *message.message_snapshots)
    for part in parts:
        found += [Attached(file) for file in part.attachments if is_picture(file)]
        links = [*_in_embeds(part.embeds), *_in_components(part.components)]
        found += [
            Linked(_name(url), url, fetch) for url in dict.fromkeys(links) if _is_at(url, hosts)
        ]
    return found


def first_picture(sources: list[Source]) -> tuple[Source, tuple[str, ...]]:
    """Choose the picture meant, and say so where there are more.

    Raises:
        NoPictureThere: there is none.
    """
    if not sources:
        raise NoPictureThere
    more = Sentence("Used the first of its {count} pictures.", count=len(sources))
    return sources[0], (str(more),) if len(sources) > 1 else ()


def job_of(message: discord.Message) -> str | None:
    """Return the id of the job that one of Easel's own messages shows."""
    for item in _walk(message.components):
        match = CUSTOM_ID.fullmatch(str(getattr(item, "custom_id", "") or ""))
        if match:
            return match[1]
    return None


def is_picture(file: discord.Attachment) -> bool:
    """Whether a file may be a picture, by what Discord says of it."""
    return (file.content_type or "image/").startswith("image/")


def _in_embeds(embeds: Iterable[discord.Embed]) -> Iterator[str]:
    for embed in embeds:
        for media in (embed.image, embed.thumbnail):
            if url := media.proxy_url or media.url:
                yield url
                break


def _in_components(components: Iterable[Any]) -> Iterator[str]:
    for component in _walk(components):
        media = [item.media for item in getattr(component, "items", ())]
        if isinstance(component, discord.ThumbnailComponent | discord.FileComponent):
            media.append(component.media)
        for one in media:
            if (one.content_type or "image/").startswith("image/"):
                yield one.proxy_url or one.url


def _walk(components: Iterable[Any]) -> Iterator[Any]:
    for component in components:
        yield component
        yield from _walk(getattr(component, "children", ()))
        accessory = getattr(component, "accessory", None)
        if accessory is not None:
            yield accessory


def _is_at(url: str, hosts: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and any(host == h or host.endswith(f".{h}") for h in hosts)


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2][-MAX_NAME:] or "picture"
