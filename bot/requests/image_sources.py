"""Where the images of a job come from: attached, shown by a message, or stored by a job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import discord

from bot.errors import AttachmentDeleted, EmptyFile, FileTooLarge, NoImageInMessage, NotAnImage
from bot.i18n.message import TranslatableMessage
from bot.requests.fetching import Fetch, FetchedTooMuch
from bot.support.discord_errors import TRANSPORT_ERRORS
from bot.uploads.plain_images import plain_image_size
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import CheckedImage
from storage.blobs import BlobStore
from storage.errors import BlobMissing, UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord

RESULT_ROLE = "result"
STILL_MEDIA_TYPE = "image/png"
MAX_RESULT_IMAGES = 8  # pictures of the largest batch; what is more was not asked for


def result_images(record: JobRecord) -> list[dict[str, Any]]:
    """List them in their order; of a job that made only frames or previews, the last."""
    entries = (record.result or {}).get("pictures") or ()
    still_images = [
        dict(entry)
        for entry in entries
        if entry.get("media_type", STILL_MEDIA_TYPE) == STILL_MEDIA_TYPE
    ]
    return [entry for entry in still_images if entry.get("role", RESULT_ROLE) == RESULT_ROLE][
        :MAX_RESULT_IMAGES
    ] or still_images[-1:]


def is_batch(record: JobRecord) -> bool:
    """Whether it made several pictures, which are shown as one contact sheet."""
    return len(result_images(record)) > 1


def seam_mask_key(record: JobRecord) -> str:
    """Return the key of the mask along whose edge the result shows a seam; empty for none."""
    seams = (record.result or {}).get("seams") or ()
    return str(seams[0]["key"]) if seams else ""


MEDIUM_PATTERN = re.compile(r"[\w.+-]+/[\w.+-]+")
REJECTED_MEDIA_PREFIXES = ("text/", "video/", "audio/", "font/", "model/")
DISCORD_IMAGE_HOSTS = ("discordapp.com", "discordapp.net", "discord.com")
"""Where pictures are fetched from: never from an address that a stranger chose."""

BEFORE_NAME_MARK = "-before"
"""How the name of a file ends that shows what a result was made from."""

JOB_CUSTOM_ID_PATTERN = re.compile(r"easel:[a-z]+(?:\.[a-z0-9]+)*:([0-9a-z]{20})")
MAX_NAME_LENGTH = 60  # characters

NUMBERED_CUSTOM_ID_PATTERN = re.compile(r"easel:[a-z]+\.([1-9]):[0-9a-z]{20}")


class ImageSource(Protocol):
    """A picture that can be had."""

    async def check_available(self, decoders: DecoderPool) -> None:
        """Refuse what can be told without fetching it.

        Raises:
            ImageRejected: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def load_image(self, decoders: DecoderPool) -> CheckedImage:
        """Fetch and check it.

        Raises:
            ImageRejected: says what to change.
            BlobMissing: it is no longer stored.
        """
        ...

    async def read_bytes(self, decoders: DecoderPool) -> bytes:
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

    async def check_available(self, decoders: DecoderPool) -> None:
        """Refuse by what Discord says of the file: empty, too large, or of another medium."""
        name, size = self.attachment.filename, self.attachment.size
        if size == 0:
            raise EmptyFile(name)
        if size > decoders.limits.max_bytes:
            raise FileTooLarge(name, size, decoders.limits.max_bytes)
        medium = self.attachment.content_type or ""
        if medium.startswith(REJECTED_MEDIA_PREFIXES):
            named_medium = MEDIUM_PATTERN.match(medium)
            raise NotAnImage(name, file_type="" if named_medium is None else named_medium[0])

    async def load_image(self, decoders: DecoderPool) -> CheckedImage:
        """Fetch it from Discord and check it."""
        data = await self.read_bytes(decoders)
        return await decoders.check_image(data, self.attachment.filename)

    async def read_bytes(self, decoders: DecoderPool) -> bytes:
        """Fetch it from Discord."""
        await self.check_available(decoders)
        try:
            return await self.attachment.read()
        except discord.HTTPException as error:
            raise AttachmentDeleted(self.attachment.filename) from error


@dataclass(frozen=True)
class LinkSource:
    """A picture in an embed or a gallery, which Discord keeps or mirrors."""

    name: str
    url: str
    fetch: Fetch

    async def check_available(self, decoders: DecoderPool) -> None:
        """Nothing is known of it before it is fetched."""

    async def load_image(self, decoders: DecoderPool) -> CheckedImage:
        """Fetch it from Discord and check it."""
        return await decoders.check_image(await self.read_bytes(decoders), self.name)

    async def read_bytes(self, decoders: DecoderPool) -> bytes:
        """Fetch the file as it is.

        Raises:
            AttachmentDeleted: Discord does not have it.
            FileTooLarge: it has more bytes than may be read, which is found out on the way.
        """
        max_bytes = decoders.limits.max_bytes
        try:
            return await self.fetch(self.url, max_bytes)
        except FetchedTooMuch as error:
            raise FileTooLarge(self.name, error.size, max_bytes) from error
        except TRANSPORT_ERRORS as error:
            raise AttachmentDeleted(self.name) from error


@dataclass(frozen=True)
class BlobSource:
    """A picture that an earlier job started from or came to; it was checked, or made, by Easel."""

    key: str
    blobs: BlobStore

    async def check_available(self, decoders: DecoderPool) -> None:
        """Refuse what retention has swept away."""
        if not await self.blobs.exists(self.key):
            raise BlobMissing(self.key)

    async def load_image(self, decoders: DecoderPool) -> CheckedImage:
        """Read it from the store."""
        data = await self.read_bytes(decoders)
        size = plain_image_size(data)
        if size is None:
            raise BlobMissing(self.key)
        width, height = size
        return CheckedImage(data=data, width=width, height=height)

    async def read_bytes(self, decoders: DecoderPool) -> bytes:
        """Read it from the store."""
        return await self.blobs.get(self.key)


def images_in_message(
    message: discord.Message, fetch: Fetch, hosts: tuple[str, ...] = DISCORD_IMAGE_HOSTS
) -> list[ImageSource]:
    """List the pictures of a message and of what it forwards: files, embeds, galleries."""
    sources: list[ImageSource] = []
    parts: tuple[discord.Message | discord.MessageSnapshot, ...]
    parts = (message, *message.message_snapshots)
    for part in parts:
        files = [file for file in part.attachments if is_image(file)]
        sources += [AttachmentSource(file) for file in files if not _is_before(file.filename)]
        listed_paths = {urlsplit(file.url).path for file in files}
        links = [*_in_embeds(part.embeds), *_in_components(part.components)]
        sources += [
            LinkSource(_image_name(url), url, fetch)
            for url in dict.fromkeys(links)
            if _is_trusted_url(url, hosts)
            and urlsplit(url).path not in listed_paths  # Discord may list a gallery's files as well
            and not _is_before(_image_name(url))
        ]
    return sources


def _is_before(name: str) -> bool:
    """Whether a picture stands beside a result to show what it was made from."""
    return name.rpartition(".")[0].endswith(BEFORE_NAME_MARK)


async def stored_images_of(
    message: discord.Message, jobs: JobStore, blobs: BlobStore, guild: str | None
) -> list[ImageSource]:
    """List the pictures that one of Easel's own messages shows, as they were made.

    What the message shows may be smaller, enlarged or numbered. Empty where it shows none, and
    where the job is no longer stored, or belongs to another server.
    """
    job_id = job_id_of_message(message)
    shows_images = bool(message.attachments) or any(_in_components(message.components))
    if job_id is None or not shows_images:
        return []
    try:
        record = await jobs.reader.get_job(job_id)
    except UnknownJob:
        return []
    images, number = result_images(record), _image_number(message)
    if record.guild != guild or not images:
        return []
    selection = images if number is None else images[number - 1 : number]
    return [
        BlobSource(image["key"], blobs) for image in selection if await blobs.exists(image["key"])
    ]


def _image_number(message: discord.Message) -> int | None:
    """Return which picture of its job's batch a message shows, counted from 1; None for all."""
    marks = [
        str(getattr(item, "custom_id", "") or "") for item in iter_components(message.components)
    ]
    numbers = {match[1] for match in map(NUMBERED_CUSTOM_ID_PATTERN.fullmatch, marks) if match}
    return int(numbers.pop()) if len(numbers) == 1 else None


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
    for item in iter_components(message.components):
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
    for component in iter_components(components):
        media = [item.media for item in getattr(component, "items", ())]
        if isinstance(component, discord.ThumbnailComponent | discord.FileComponent):
            media.append(component.media)
        for media_item in media:
            if (media_item.content_type or "image/").startswith("image/"):
                yield media_item.proxy_url or media_item.url


def iter_components(components: Iterable[Any]) -> Iterator[Any]:
    """List the components of a message, those within others after them."""
    for component in components:
        yield component
        yield from iter_components(getattr(component, "children", ()))
        accessory = getattr(component, "accessory", None)
        if accessory is not None:
            yield accessory


def _is_trusted_url(url: str, hosts: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and any(host == h or host.endswith(f".{h}") for h in hosts)


def _image_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2][-MAX_NAME_LENGTH:] or "picture"
