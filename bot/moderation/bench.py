"""The moderators' bench: cases come in by reports and by the check, and are decided here."""

from __future__ import annotations

from bot.delivery import Delivery
from bot.errors import CaseGone, NoSettings
from bot.moderation.log import LogChannel
from bot.sentences import english
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.moderation import Case, ModerationStore, Screening, Verdict
from storage.records import JobRecord

DELETED = Screening(verdict=Verdict.DELETED, reason=english("a moderator took it away"))
RELEASED = Screening(verdict=Verdict.CLEAN)


class Bench:
    """Takes reports, and carries out what moderators decide."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        delivery: Delivery,
        store: ModerationStore | None,
        told: LogChannel,
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._delivery = delivery
        self._cases = store
        self._log = told

    async def report(self, record: JobRecord, by: str, reason: str) -> bool:
        """Open a case about a result; False where this member had reported it before."""
        case = await self._store().open(record.guild or "", record.id, "reported", by, reason)
        if case is None:
            return False
        await self._log.reported(record, case)
        return True

    async def cases(self, guild: str) -> list[tuple[Case, JobRecord]]:
        """Return the server's open cases with their jobs, oldest first."""
        return [(case, await self._jobs.get(case.job)) for case in await self._store().cases(guild)]

    async def case(self, guild: str, number: int) -> tuple[Case, JobRecord]:
        """Return one open case with its job.

        Raises:
            CaseGone: it was decided meanwhile, or never was.
        """
        case = await self._store().case(guild, number)
        if case is None:
            raise CaseGone
        try:
            return case, await self._jobs.get(case.job)
        except UnknownJob as error:
            raise CaseGone from error

    async def release(self, guild: str, number: int, actor: str) -> JobRecord:
        """Let a result be shown, and show it where it was held back."""
        _, record = await self.case(guild, number)
        before = await self._store().screening(record.id)
        await self._store().close(record.id, actor, RELEASED)
        if before is not None and before.verdict is not Verdict.CLEAN:
            await self._delivery.show_again(record)
        return record

    async def delete(self, guild: str, number: int, actor: str) -> JobRecord:
        """Take a result away for good: from its message and from the store."""
        _, record = await self.case(guild, number)
        await self._store().close(record.id, actor, DELETED)
        await self._delivery.show_again(record)
        for picture in (record.result or {}).get("pictures") or ():
            await self._blobs.delete(picture["key"])
        return record

    def _store(self) -> ModerationStore:
        if self._cases is None:
            raise NoSettings
        return self._cases
