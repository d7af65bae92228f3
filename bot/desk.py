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

from bot import texts
from bot.attachments import PictureReader
from bot.choices import with_defaults
from bot.delivery import Delivery
from bot.dispatcher import Dispatcher
from bot.errors import JobGone, NeverAllowed, NoModel
from bot.gate import Gate
from bot.locales import speaking
from bot.options import filled_in
from bot.reply_to import ReplyTo
from bot.requests import InteractionRequest, Request
from bot.safety.screen import Screen
from bot.sources import Attached, Source, Stored
from bot.styles import StyleShelf, styled
from inference.jobs import Job
from inference.service import Service
from storage.blobs import BlobStore
from storage.errors import UnknownJob
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
        service: Service,
        gate: Gate,
        styles: StyleShelf,
        screen: Screen,
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

    async def ask(
        self, interaction: discord.Interaction[Any], job_type: type[Job], given: Mapping[str, Any]
    ) -> None:
        """Queue what a slash command asks for, with the member's defaults; see `order`."""
        attachments, values = filled_in(given)
        sources = {name: Attached(attachment) for name, attachment in attachments.items()}
        request = InteractionRequest(interaction)
        name = values.pop("style", None)
        chosen = with_defaults(job_type, values, await self._gate.defaults(request.owner))
        chosen = await self._gate.filled(request.guild, job_type, chosen)
        if name:
            chosen = styled(chosen, await self._styles.find(request.owner, request.guild, name))
        await self.order(request, job_type(**chosen), sources)

    async def again(self, request: Request, job: Job, parent: JobRecord) -> None:
        """Queue a job on the pictures that another one started from; see `order`."""
        sources = {name: self.stored(key) for name, key in parent.inputs.items()}
        await self.order(request, job, sources, parent=parent.id)

    async def order(
        self,
        request: Request,
        job: Job,
        sources: Mapping[str, Source],
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
            PictureRefused: a picture cannot be used.
            StorageError: a picture is gone, the queue is full, or the disk or database refused.
        """
        job = await self._gate.fitted(request, job)
        job.check_pictures(sources)
        self._dispatcher.check(job)
        self._refuse_without_model()
        await self._check(request, job)
        for source in sources.values():
            await source.look(self._reader)
        private = await self._gate.is_private(request.guild)
        reply_to = await self._answer(request, job.kind, private=private)
        pictures = {name: await source.read(self._reader) for name, source in sources.items()}
        # Once more: reading took its time, and only now is it known how large the pictures are.
        await self._check(request, job, [(p.width, p.height) for p in pictures.values()])
        shown = [picture.data for name, picture in pictures.items() if name != "mask"]
        await self._screen.check_input(request.guild, request.asker, shown)
        submission = await self._dispatcher.submit(
            job=job,
            pictures={name: picture.data for name, picture in pictures.items()},
            owner=request.owner,
            guild=request.guild,
            reply_to=reply_to.encode(),
            idempotency_key=request.key,
            parent=parent,
            weight=await self._gate.share(request),
        )
        said = [*notes, *(note for picture in pictures.values() for note in picture.notes)]
        await self._delivery.opened(submission, reply_to, said)

    async def _answer(self, request: Request, kind: str, *, private: bool) -> ReplyTo:
        """Say that a request has arrived, in the language that its answer keeps to its end."""
        language = request.own_language if private else await self._gate.language(request)
        with speaking(language):
            reply_to = await request.answer(texts.received(kind), private=private)
        return reply_to.said_in(language)

    async def _check(
        self, request: Request, job: Job, sizes: Iterable[tuple[int, int]] = ()
    ) -> None:
        try:
            await self._gate.check(request, job, tuple(sizes))
        except NeverAllowed:
            await self._screen.alarm(request.guild, request.owner)
            raise

    def stored(self, key: str) -> Stored:
        """Name a stored picture as a source."""
        return Stored(key, self._blobs)

    async def show(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver a result that could not be delivered before, as the answer to `interaction`.

        Raises:
            JobGone: it was delivered, or deleted, meanwhile.
        """
        if not await self._jobs.requeue_delivery(record.id, "asked for"):
            raise JobGone("That result was shown already, or is no longer stored.")
        there, request = ReplyTo.decode(record.reply_to), InteractionRequest(interaction)
        private = await self._gate.is_private(request.guild) or bool(there and there.private)
        reply_to = await self._answer(request, record.kind, private=private)
        await self._jobs.readdress(record.id, reply_to.encode())
        try:
            self._delivery.settled(await self._jobs.get(record.id))
        except UnknownJob as error:
            raise JobGone from error

    def _refuse_without_model(self) -> None:
        """Refuse while no worker can start; one that is starting, or was lost, will come."""
        workers = self._service.workers
        if workers and all(worker.trouble and not worker.ready for worker in workers):
            raise NoModel
