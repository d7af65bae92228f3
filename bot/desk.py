"""The desk: what every command does with a member's request, from the first answer to the queue.

1. What can be told without reading anything (options, sizes, kinds of file) is checked first; a
   refusal then is the one and only answer.
2. A public card says at once that the request is being read, well within Discord's 3 seconds.
3. The pictures are fetched and checked, the job is queued, and the card shows its place.
   A refusal from here on is shown to the member alone, and the card goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord

from bot import texts
from bot.attachments import PictureReader
from bot.delivery import Delivery
from bot.dispatcher import Dispatcher
from bot.errors import JobGone
from bot.options import filled_in
from bot.reply_to import ReplyTo
from inference.jobs import Job
from storage.blobs import BlobStore
from storage.errors import BlobMissing, UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord


class Desk:
    """Takes requests."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        jobs: JobStore,
        blobs: BlobStore,
        reader: PictureReader,
        delivery: Delivery,
    ) -> None:
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._blobs = blobs
        self._reader = reader
        self._delivery = delivery

    async def ask(
        self, interaction: discord.Interaction[Any], job_type: type[Job], given: Mapping[str, Any]
    ) -> None:
        """Queue what a command asks for.

        Raises:
            JobError: an option is impossible.
            PictureRefused: an attachment cannot be used.
            StorageError: the queue is full, or the disk or the database refused.
        """
        attachments, values = filled_in(given)
        job = job_type(**values)
        job.check_pictures(attachments)
        for attachment in attachments.values():
            self._reader.refuse_early(attachment)
        reply_to = await self._answer(interaction, job)
        pictures: dict[str, bytes] = {}
        notes: list[str] = []
        for name, attachment in attachments.items():
            checked = await self._reader.read(attachment)
            pictures[name] = checked.data
            notes.extend(checked.notes)
        submission = await self._dispatcher.submit(
            job=job, pictures=pictures, reply_to=reply_to.encode(), **_asker(interaction)
        )
        await self._delivery.opened(submission, reply_to, notes)

    async def again(
        self, interaction: discord.Interaction[Any], job: Job, parent: JobRecord
    ) -> None:
        """Queue a job on the pictures that another one started from.

        Raises:
            StorageError: a picture is gone, the queue is full, or the database refused.
        """
        for key in parent.inputs.values():
            if not await self._blobs.exists(key):
                raise BlobMissing(key)
        reply_to = await self._answer(interaction, job)
        submission = await self._dispatcher.resubmit(
            job=job,
            inputs=parent.inputs,
            reply_to=reply_to.encode(),
            parent=parent.id,
            **_asker(interaction),
        )
        await self._delivery.opened(submission, reply_to)

    async def show(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver a result that could not be delivered before, as the answer to `interaction`.

        Raises:
            JobGone: it was delivered, or deleted, meanwhile.
        """
        if not await self._jobs.requeue_delivery(record.id, "asked for"):
            raise JobGone("That result was shown already, or is no longer stored.")
        reply_to = await self._answer(interaction, None, record.kind)
        await self._jobs.readdress(record.id, reply_to.encode())
        try:
            self._delivery.settled(await self._jobs.get(record.id))
        except UnknownJob as error:
            raise JobGone from error

    async def _answer(
        self, interaction: discord.Interaction[Any], job: Job | None, kind: str = ""
    ) -> ReplyTo:
        """Send the first answer and note where it is."""
        response = await interaction.response.send_message(
            texts.received(job.kind if job is not None else kind)
        )
        message_id = response.message_id or (await interaction.original_response()).id
        return ReplyTo(
            application_id=interaction.application_id,
            token=interaction.token,
            asked_at=discord.utils.utcnow(),
            channel_id=interaction.channel_id or 0,
            guild_id=interaction.guild_id,
            message_id=message_id,
            file_limit=interaction.filesize_limit,
        )


def _asker(interaction: discord.Interaction[Any]) -> dict[str, Any]:
    guild = interaction.guild_id
    return {
        "owner": str(interaction.user.id),
        "guild": None if guild is None else str(guild),
        "idempotency_key": str(interaction.id),
    }
