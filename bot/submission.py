"""What every command does with a member's request, from the first answer to the queue.

1. What can be told without reading anything (options, sizes, kinds of file, workers that cannot
   start) is checked first; a refusal then is the one and only answer.
2. A public card says at once that the request is being read, well within Discord's 3 seconds.
3. The pictures are fetched and checked, the job is queued, and the card shows its place.
   A refusal from here on is shown to the member alone, and the card goes.

The server's settings are read once, at the beginning, and hold for the whole request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import discord

from bot import messages
from bot.delivery import ResultDelivery
from bot.dispatcher import Dispatcher
from bot.errors import JobNotFound, NoModel, ProhibitedContent
from bot.guilds.checks import share_of
from bot.guilds.context import RequestContext, reply_language
from bot.guilds.member_preferences import StyleStore, apply_style
from bot.guilds.policy import GuildPolicy, apply_member_defaults
from bot.guilds.settings import GuildSettings
from bot.i18n import use_language
from bot.member_storage import MemberStorage
from bot.moderation.nsfw_screen import NsfwScreen, final_prompts
from bot.requests.image_sources import AttachmentSource, BlobSource, ImageSource
from bot.requests.job_check import JobChecker, default_upscaler
from bot.requests.more_options import parse_more_options
from bot.requests.options import split_attachments
from bot.requests.reply_target import ReplyTarget
from bot.requests.requester import InteractionRequest, MemberRequest
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import CheckedImage
from inference.api.jobs import Job, UpscaleJob
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord


class JobSubmitter:
    """Turn an interaction into a stored, queued job."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        jobs: JobStore,
        blobs: BlobStore,
        decoders: DecoderPool,
        delivery: ResultDelivery,
        workers: WorkerPool,
        policy: GuildPolicy,
        styles: StyleStore,
        screen: NsfwScreen,
        member_storage: MemberStorage,
        checker: JobChecker,
    ) -> None:
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._blobs = blobs
        self._decoders = decoders
        self._delivery = delivery
        self._workers = workers
        self._policy = policy
        self._styles = styles
        self._screen = screen
        self._checker = checker
        #: What bounds each member's pictures on the disk.
        self.member_storage = member_storage

    async def submit_command(
        self,
        interaction: discord.Interaction[Any],
        job_type: type[Job],
        arguments: Mapping[str, Any],
    ) -> None:
        """Queue what a slash command asks for, with the defaults of member and server."""
        attachments, values = split_attachments(arguments)
        sources = {name: AttachmentSource(attachment) for name, attachment in attachments.items()}
        request = InteractionRequest(interaction)
        context = request.context
        settings, defaults = await self._policy.request_settings(context)
        name, more_text = values.pop("style", None), values.pop("more", "")
        if more_text:
            values = {**parse_more_options(job_type, more_text), **values}
        values = apply_member_defaults(job_type, values, defaults)
        values = self._policy.fill_defaults(settings, job_type, values)
        if job_type is UpscaleJob and "upscaler" not in values:
            values["upscaler"] = default_upscaler(self._workers.worker_statuses)
        if name:
            style = await self._styles.find_style(context.user_id, context.guild_id, name)
            values = apply_style(values, style)
        await self.submit_job(request, job_type(**values), sources, settings=settings)

    async def submit_rerun(
        self,
        request: MemberRequest,
        job: Job,
        parent: JobRecord,
        *,
        settings: GuildSettings | None = None,
        extra_sources: Mapping[str, ImageSource] = MappingProxyType({}),
    ) -> None:
        """Queue a job on the pictures that another one started from; see `submit_job`.

        `extra_sources` are pictures in the place of those, or besides.
        """
        stored_sources: dict[str, ImageSource] = {
            name: self.stored_source(key) for name, key in parent.inputs.items()
        }
        sources = stored_sources | dict(extra_sources)
        await self.submit_job(request, job, sources, settings=settings, parent=parent.id)

    async def submit_job(
        self,
        request: MemberRequest,
        job: Job,
        sources: Mapping[str, ImageSource],
        *,
        settings: GuildSettings | None = None,
        parent: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        """Queue a job on pictures from wherever they come; `settings` are read where not given.

        Raises:
            JobError: an option, a picture or a named list is missing or impossible.
            NotAllowed: the server's admins did not allow it.
            NoModel: no worker can start.
            ImageRejected: a picture cannot be used.
            StorageError: a picture is gone, the queue is full, or the disk or database refused.
        """
        context = request.context
        settings = settings or await self._policy.guild_settings(context.guild_id)
        job = self._dispatcher.check_job(self._policy.with_allowed_model(settings, job), sources)
        self._refuse_without_model()
        await self._check_allowed(settings, context, job)
        job = self._checker.check_job(job, sources)
        await self._check_available(sources)
        reply_to = await self._acknowledge_request(
            request, job, settings, private=settings.has_private_results
        )
        images = await self._load_images(job, sources)
        # Only now are the pictures' sizes known; whom the host serves may have changed meanwhile.
        await self._policy.check_read_request(
            settings, context, job, [image.size for image in images.values()]
        )
        files = {name: image.data for name, image in images.items()}
        await self._screen.check_input(settings, context, [files[n] for n in files if n != "mask"])
        await self.member_storage.make_room(context.user_id, sum(map(len, files.values())))
        submission = await self._dispatcher.submit_job(
            job=job,
            images=files,
            reply_to=reply_to.to_json(),
            idempotency_key=request.key,
            parent=parent,
            owner=context.user_id,
            guild=context.guild_id,
            weight=share_of(settings, context),
            check_load=self._policy.load_check(settings, context),
        )
        image_notes = [note for image in images.values() for note in image.notes]
        await self._delivery.show_queued(submission, reply_to, [*notes, *image_notes])

    async def _load_images(
        self, job: Job, sources: Mapping[str, ImageSource]
    ) -> dict[str, CheckedImage]:
        images = {name: await source.load_image(self._decoders) for name, source in sources.items()}
        self._checker.check_images(job, images)
        return images

    async def _check_available(self, sources: Mapping[str, ImageSource]) -> None:
        for source in sources.values():
            await source.check_available(self._decoders)

    async def _acknowledge_request(
        self,
        request: MemberRequest,
        job: Job | JobRecord,
        settings: GuildSettings,
        *,
        private: bool,
    ) -> ReplyTarget:
        """Say that a request has arrived, in the language that its answer keeps to its end."""
        context = request.context
        language = context.user_language if private else reply_language(settings, context)
        with use_language(language):
            reply_to = await request.send_answer(messages.received_message(job), private=private)
        return reply_to.in_language(language)

    async def _check_allowed(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
    ) -> None:
        try:
            await self._policy.check_request(settings, context, job)
        except ProhibitedContent:
            await self._screen.report_refusal(context.guild_id, context.user_id)
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
            NotAllowed: the place does not let it be shown there; it stays where it was.
        """
        request = InteractionRequest(interaction)
        settings = await self.check_showing(request.context, record)
        if not await self._jobs.deliveries.requeue_delivery(record.id, "asked for"):
            raise JobNotFound("That result was shown already, or is no longer stored.")
        previous_target = ReplyTarget.from_json(record.reply_to)
        private = settings.has_private_results or bool(previous_target and previous_target.private)
        reply_to = await self._acknowledge_request(request, record, settings, private=private)
        await self._jobs.deliveries.update_reply_to(record.id, reply_to.to_json())
        try:
            self._delivery.on_job_ended(await self._jobs.reader.get_job(record.id))
        except UnknownJob as error:
            raise JobNotFound from error

    async def check_showing(self, context: RequestContext, record: JobRecord) -> GuildSettings:
        """Refuse to show a job to others where it could not have been asked for; return the rules.

        Raises:
            NotAllowed: the host, the place, its words or its picture check do not allow it.
        """
        settings = await self._policy.guild_settings(context.guild_id)
        prompts = [str(record.params.get("prompt") or ""), *final_prompts(record)]
        await self._policy.check_showing(settings, context, prompts)
        await self._screen.check_result(settings, context, record)
        return settings

    def _refuse_without_model(self) -> None:
        """Refuse while no worker can start; one that starts, was lost or rests will come."""
        workers = self._workers.worker_statuses
        if workers and all(
            worker.trouble and not worker.is_resting and not worker.ready for worker in workers
        ):
            raise NoModel
