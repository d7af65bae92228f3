"""The desk: what every command does with a member's request, from the first answer to the queue.

1. What can be told without reading anything (options, sizes, kinds of file, workers that cannot
   start) is checked first; a refusal then is the one and only answer.
2. A public card says at once that the request is being read, well within Discord's 3 seconds.
3. The pictures are fetched and checked, the job is queued, and the card shows its place.
   A refusal from here on is shown to the member alone, and the card goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import discord

from bot import messages
from bot.delivery import ResultDelivery
from bot.dispatcher import Dispatcher
from bot.errors import JobNotFound, NoModel, ProhibitedContent
from bot.guilds.member_preferences import StyleStore, apply_style
from bot.guilds.option_defaults import apply_member_defaults
from bot.guilds.policy import GuildPolicy
from bot.i18n import use_language
from bot.moderation.nsfw_screen import NsfwScreen
from bot.requests.image_sources import AttachmentSource, BlobSource, ImageSource
from bot.requests.options import split_attachments
from bot.requests.reply_target import ReplyTarget
from bot.requests.requester import InteractionRequest, MemberRequest
from bot.uploads.reader import AttachmentReader
from inference.api.jobs import Job
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord


class JobSubmitter:
    """Takes requests."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        jobs: JobStore,
        blobs: BlobStore,
        reader: AttachmentReader,
        delivery: ResultDelivery,
        service: WorkerPool,
        gate: GuildPolicy,
        styles: StyleStore,
        screen: NsfwScreen,
    ) -> None:
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._blobs = blobs
        self._reader = reader
        self._delivery = delivery
        self._service = service
        self._gate = gate
        self._styles = styles
        self._screen = screen

    async def submit_command(
        self,
        interaction: discord.Interaction[Any],
        job_type: type[Job],
        arguments: Mapping[str, Any],
    ) -> None:
        """Queue what a slash command asks for, with the member's defaults; see `order`."""
        attachments, values = split_attachments(arguments)
        sources = {name: AttachmentSource(attachment) for name, attachment in attachments.items()}
        request = InteractionRequest(interaction)
        name = values.pop("style", None)
        option_values = apply_member_defaults(
            job_type, values, await self._gate.member_defaults(request.owner)
        )
        option_values = await self._gate.fill_guild_defaults(request.guild, job_type, option_values)
        if name:
            option_values = apply_style(
                option_values, await self._styles.find_style(request.owner, request.guild, name)
            )
        await self.submit_job(request, job_type(**option_values), sources)

    async def submit_rerun(self, request: MemberRequest, job: Job, parent: JobRecord) -> None:
        """Queue a job on the pictures that another one started from; see `order`."""
        sources = {name: self.stored_source(key) for name, key in parent.inputs.items()}
        await self.submit_job(request, job, sources, parent=parent.id)

    async def submit_job(
        self,
        request: MemberRequest,
        job: Job,
        sources: Mapping[str, ImageSource],
        *,
        parent: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        """Queue a job on pictures from wherever they come.

        Raises:
            JobError: an option is impossible, a picture is missing or of no use, or a prompt names
                a list that is not here.
            NotAllowed: the server's admins did not allow it.
            NoModel: no worker can start, so nothing would ever come of it.
            ImageRejected: a picture cannot be used.
            StorageError: a picture is gone, the queue is full, or the disk or database refused.
        """
        job = await self._gate.with_allowed_model(request, job)
        job.check_images(sources)
        self._dispatcher.check_wordlists(job)
        self._refuse_without_model()
        await self._check_allowed(request, job)
        for source in sources.values():
            await source.check_available(self._reader)
        private = await self._gate.has_private_results(request.guild)
        reply_to = await self._acknowledge_request(request, job.kind, private=private)
        images = {name: await source.load_image(self._reader) for name, source in sources.items()}
        # Once more: reading took its time, and only now is it known how large the pictures are.
        await self._check_allowed(request, job, [(p.width, p.height) for p in images.values()])
        input_images = [image.data for name, image in images.items() if name != "mask"]
        await self._screen.check_input(request.guild, request.request_context, input_images)
        submission = await self._dispatcher.submit_job(
            job=job,
            images={name: image.data for name, image in images.items()},
            owner=request.owner,
            guild=request.guild,
            reply_to=reply_to.to_json(),
            idempotency_key=request.key,
            parent=parent,
            weight=await self._gate.fair_share_weight(request),
        )
        request_notes = [*notes, *(note for image in images.values() for note in image.notes)]
        await self._delivery.show_queued(submission, reply_to, request_notes)

    async def _acknowledge_request(
        self, request: MemberRequest, kind: str, *, private: bool
    ) -> ReplyTarget:
        """Say that a request has arrived, in the language that its answer keeps to its end."""
        language = request.user_language if private else await self._gate.reply_language(request)
        with use_language(language):
            reply_to = await request.send_answer(messages.received_message(kind), private=private)
        return reply_to.in_language(language)

    async def _check_allowed(
        self, request: MemberRequest, job: Job, sizes: Iterable[tuple[int, int]] = ()
    ) -> None:
        try:
            await self._gate.check_request(request, job, tuple(sizes))
        except ProhibitedContent:
            await self._screen.report_refusal(request.guild, request.owner)
            raise

    def stored_source(self, key: str) -> BlobSource:
        """Name a stored picture as a source."""
        return BlobSource(key, self._blobs)

    async def redeliver_result(
        self, interaction: discord.Interaction[Any], record: JobRecord
    ) -> None:
        """Deliver a result that could not be delivered before, as the answer to `interaction`.

        Raises:
            JobNotFound: it was delivered, or deleted, meanwhile.
        """
        if not await self._jobs.requeue_delivery(record.id, "asked for"):
            raise JobNotFound("That result was shown already, or is no longer stored.")
        previous_target, request = (
            ReplyTarget.from_json(record.reply_to),
            InteractionRequest(interaction),
        )
        private = await self._gate.has_private_results(request.guild) or bool(
            previous_target and previous_target.private
        )
        reply_to = await self._acknowledge_request(request, record.kind, private=private)
        await self._jobs.update_reply_to(record.id, reply_to.to_json())
        try:
            self._delivery.on_job_ended(await self._jobs.get_job(record.id))
        except UnknownJob as error:
            raise JobNotFound from error

    def _refuse_without_model(self) -> None:
        """Refuse while no worker can start; one that is starting, or was lost, will come."""
        workers = self._service.worker_statuses
        if workers and all(worker.trouble and not worker.ready for worker in workers):
            raise NoModel
