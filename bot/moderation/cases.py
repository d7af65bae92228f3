"""The moderators' bench: cases come in by reports and by the check, and are decided here."""

from __future__ import annotations

from bot.delivery import ResultDelivery
from bot.errors import CaseNotFound
from bot.i18n.message import gettext_noop
from bot.moderation.log_channel import LogChannel
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.moderation import ModerationCase, ModerationStore, ScreeningRecord, Verdict
from storage.records import JobRecord

DELETED_SCREENING = ScreeningRecord(
    verdict=Verdict.DELETED, reason=gettext_noop("a moderator took it away")
)
RELEASED_SCREENING = ScreeningRecord(verdict=Verdict.CLEAN)


class CaseService:
    """Takes reports, and carries out what moderators decide."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        delivery: ResultDelivery,
        store: ModerationStore,
        log_channel: LogChannel,
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._delivery = delivery
        self._store = store
        self._log_channel = log_channel

    async def report_result(self, record: JobRecord, by: str, reason: str) -> bool:
        """Open a case about a result; False where this member had reported it before."""
        case = await self._store.open_case(record.guild or "", record.id, "reported", by, reason)
        if case is None:
            return False
        await self._log_channel.post_report(record, case)
        return True

    async def open_cases(self, guild: str) -> list[tuple[ModerationCase, JobRecord]]:
        """Return the server's open cases with their jobs, oldest first."""
        return [
            (case, await self._jobs.reader.get_job(case.job))
            for case in await self._store.list_open_cases(guild)
        ]

    async def find_case(self, guild: str, number: int) -> tuple[ModerationCase, JobRecord]:
        """Return one open case with its job.

        Raises:
            CaseNotFound: it was decided meanwhile, or never was.
        """
        case = await self._store.get_open_case(guild, number)
        if case is None:
            raise CaseNotFound
        try:
            return case, await self._jobs.reader.get_job(case.job)
        except UnknownJob as error:
            raise CaseNotFound from error

    async def release_result(self, guild: str, number: int, actor: str) -> JobRecord:
        """Let a result be shown, and show it where it was held back."""
        _, record = await self.find_case(guild, number)
        old_screening = await self._store.get_screening(record.id)
        await self._store.close_cases(record.id, actor, RELEASED_SCREENING)
        if old_screening is not None and old_screening.verdict is not Verdict.CLEAN:
            await self._delivery.refresh_message(record)
        return record

    async def delete_result(self, guild: str, number: int, actor: str) -> JobRecord:
        """Take a result away for good: from all messages that show it, and from the store.

        A picture that another job started from, or came to as well, stays for that one.
        """
        _, record = await self.find_case(guild, number)
        await self._store.close_cases(record.id, actor, DELETED_SCREENING)
        await self._delivery.refresh_message(record)
        for channel, message in await self._store.list_posts(record.id):
            await self._delivery.delete_post(channel, message)
        images = (record.result or {}).get("pictures") or ()
        files = [*images, *(image["copy"] for image in images if image.get("copy"))]
        keys = {file["key"] for file in files}
        for key in keys - await self._jobs.retention.blobs_of_others(record.id):
            await self._blobs.delete_blob(key)
        return record
