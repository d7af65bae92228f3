"""The mask that a member draws: what the page shows, and what becomes of what is sent."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot.errors import BrokenImage, JobNotFound, UserError
from bot.guilds.policy import GuildPolicy
from bot.i18n import choice_name, translate, translate_description
from bot.i18n.message import gettext_noop
from bot.page.links import LinkPurpose, PageLink, PageLinks, PageVisit
from bot.page.page_request import PageRequest, renew_context
from bot.page.texts import page_texts
from bot.requests.image_sources import BlobSource, ImageSource
from bot.requests.more_options import format_more_options, parse_more_options
from bot.submission import JobSubmitter
from bot.uploads.plain_images import plain_image_size
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import CheckedImage
from inference.api.errors import JobError
from inference.api.jobs import (
    BooleanSpec,
    ChoiceSpec,
    InpaintJob,
    Job,
    JobOption,
    NumberSpec,
    TextSpec,
    list_job_options,
)
from inference.api.jobs.price import ModelFrame
from inference.api.jobs.sizes import target_size
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord

MAX_MASK_SIDE = 2048  # pixels: what a phone's canvas holds; larger pictures have coarser masks
FORM_OPTIONS = (
    "prompt",
    "negative_prompt",
    "strength",
    "masked_content",
    "area",
    "mask_blur",
    "padding",
    "soft",
)
"""Options with an input of their own; the others are lines of the last one."""
DRAWN_OPTIONS = ("mask_shape", "mask_mode")  # which the drawing decides
CONTINUED_OPTIONS = ("prompt", "negative_prompt", "model")
"""What a repainted picture has in common with what it was made from."""
MASK_NAME = gettext_noop("What was drawn")
UNREADABLE_TEXT = gettext_noop("The request cannot be read. Load the page again.")


@dataclass(frozen=True)
class DrawnMask:
    """A mask that was read already."""

    image: CheckedImage

    async def check_available(self, decoders: DecoderPool) -> None:
        """Refuse nothing: it is here."""

    async def load_image(self, decoders: DecoderPool) -> CheckedImage:
        """Return it."""
        return self.image

    async def read_bytes(self, decoders: DecoderPool) -> bytes:
        """Return its checked pixels."""
        return self.image.data


class DrawingDesk:
    """Shows a picture to draw on, and queues what was drawn."""

    def __init__(
        self,
        links: PageLinks,
        client: discord.Client,
        jobs: JobStore,
        blobs: BlobStore,
        decoders: DecoderPool,
        policy: GuildPolicy,
        submitter: JobSubmitter,
        model_frame: Callable[[Job], ModelFrame],
    ) -> None:
        self._links = links
        self._client = client
        self._jobs = jobs
        self._blobs = blobs
        self._decoders = decoders
        self._policy = policy
        self._submitter = submitter
        self._model_frame = model_frame

    async def describe_drawing(self, link: PageLink) -> dict[str, Any]:
        """Return what the page needs: sizes, options with what stands in them, its words.

        Raises:
            JobNotFound: the picture is no longer stored.
            NotAllowed: it may not be asked for any more.
        """
        record = await self._get_record(link.visit)
        size = await self._image_size(link.visit.image_key)
        values = await self._fill_values(link.visit, record)
        job = InpaintJob(**values)
        width, height = target_size(job.width, job.height, size, *self._model_frame(job))
        mask_width, mask_height = mask_size(size)
        hidden_names = {*FORM_OPTIONS, *DRAWN_OPTIONS}
        return {
            "texts": page_texts(),
            "picture": {"width": size[0], "height": size[1]},
            "mask": {"width": mask_width, "height": mask_height},
            "render": {"width": width, "height": height},
            "options": [
                _describe_option(option, values.get(option.name, option.default))
                for option in list_job_options(InpaintJob)
                if option.name in FORM_OPTIONS
            ],
            "more": format_more_options(InpaintJob, job.to_params(), hidden_names),
        }

    async def read_picture(self, link: PageLink) -> bytes:
        """Return the file of the picture to draw on.

        Raises:
            BlobMissing: it is no longer stored.
        """
        return await self._blobs.get(link.visit.image_key)

    async def submit_drawing(self, token: str, message: Mapping[str, Any]) -> str:
        """Queue what was drawn and return the address of its card; the link is then used up.

        Args:
            token: of the link.
            message: `mask`, a PNG in base64, white where it counts and clear elsewhere; `options`,
                their values by name; `more`, further ones as words.

        Raises:
            LinkRefused: the link cannot be used.
            UserError: what was sent cannot be done, or may not be.
            JobError: an option is impossible, or nothing was drawn.
            StorageError: the queue is full, or the disk or database refused.
        """
        with self._links.use_link(token, LinkPurpose.DRAW) as link:
            visit = link.visit
            record = await self._get_record(visit)
            context = await renew_context(self._client, visit)
            mask = await self._read_mask(message.get("mask"), visit)
            job = _read_job(message)
            request = PageRequest(self._client, visit, f"page-{link.id}", context)
            sources: dict[str, ImageSource] = {}
            sources |= {"image": BlobSource(visit.image_key, self._blobs), "mask": DrawnMask(mask)}
            try:
                await self._submitter.submit_job(request, job, sources, parent=record.id)
            except BaseException:
                await request.withdraw_answer()
                raise
            return request.answer_url()

    async def _get_record(self, visit: PageVisit) -> JobRecord:
        try:
            return await self._jobs.reader.get_job(visit.job_id)
        except UnknownJob as error:
            raise JobNotFound from error

    async def _image_size(self, key: str) -> tuple[int, int]:
        size = plain_image_size(await self._blobs.get(key))
        if size is None:
            raise JobNotFound
        return size

    async def _fill_values(self, visit: PageVisit, record: JobRecord) -> dict[str, Any]:
        """Fill in what the server takes unasked, and what the picture was made from."""
        values = {
            name: record.params[name] for name in CONTINUED_OPTIONS if record.params.get(name)
        }
        return await self._policy.fill_guild_defaults(visit.guild_id, InpaintJob, values)

    async def _read_mask(self, text: object, visit: PageVisit) -> CheckedImage:
        """Have a drawn mask read in the decoders' cage.

        Raises:
            ImageRejected: it is no picture, or not of the size that the page was told.
            JobError: nothing was drawn.
        """
        name = translate(MASK_NAME)
        try:
            data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise BrokenImage(name) from error
        image = await self._decoders.check_image(data, name)
        if image.size != mask_size(await self._image_size(visit.image_key)):
            raise BrokenImage(name)
        if "invisible" in image.traits:
            raise JobError("mask", "mask.black")
        return image


def mask_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that a mask is drawn at over a picture of a size, in pixels."""
    scale = min(1.0, MAX_MASK_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _read_job(message: Mapping[str, Any]) -> InpaintJob:
    """Read the options that were sent into a job.

    Raises:
        JobError: a value is impossible, or of another type.
        UserError: further options cannot be read.
    """
    options, more_text = message.get("options", {}), message.get("more", "")
    if not isinstance(options, dict) or not isinstance(more_text, str):
        raise UserError(UNREADABLE_TEXT)
    values = parse_more_options(InpaintJob, more_text)
    values |= {name: value for name, value in options.items() if name in FORM_OPTIONS}
    for name in DRAWN_OPTIONS:
        values.pop(name, None)
    return InpaintJob(**values)


def _describe_option(option: JobOption, value: Any) -> dict[str, Any]:
    """Describe an input of the page: what it takes, and what stands in it."""
    description: dict[str, Any] = {
        "name": option.name,
        "value": value,
        "help": translate_description(option.spec.text),
    }
    match option.spec:
        case NumberSpec(low=low, high=high):
            kind = "whole" if option.type is int else "number"
            return description | {"kind": kind, "low": low, "high": high}
        case ChoiceSpec(choices=choices):
            labels = [[choice, choice_name(choice)] for choice in choices]
            return description | {"kind": "choice", "choices": labels}
        case BooleanSpec():
            return description | {"kind": "switch"}
        case TextSpec(max_length=max_length):
            return description | {"kind": "text", "longest": max_length}
