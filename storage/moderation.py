"""What may be shown of a result, and what waits for a server's moderators."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from storage.clock import Clock, SystemClock, from_microseconds, to_microseconds
from storage.database import Database


class Verdict(StrEnum):
    """What may be shown of a result."""

    #: All of it.
    CLEAN = "clean"
    #: All of it, hidden until somebody wants to see it.
    SPOILER = "spoiler"
    #: Nothing, for good.
    BLOCKED = "blocked"
    #: Nothing until a moderator lets it go.
    HELD = "held"
    #: Nothing: a moderator took it away.
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class ScreeningRecord:
    """What was decided about one result."""

    verdict: Verdict
    #: Why, in a few words for its owner; empty where nothing was found.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ModerationCase:
    """Something that waits for a moderator."""

    #: Counts up over all servers.
    number: int
    guild: str
    #: The job whose result it is about.
    job: str
    #: `held` by the check, or `reported` by a member.
    kind: str
    #: Who reported it; empty for the check.
    by: str
    #: Why, in the member's own words or the check's.
    reason: str
    opened_at: datetime

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Return the case that a row of the table `moderation_case` holds."""
        names = ("number", "guild", "job", "kind", "by", "reason")
        values = {name: row[name] for name in names}
        return cls(**values, opened_at=from_microseconds(row["opened_at"]))


SAVE_SCREENING = """
    INSERT INTO screening (job, verdict, reason) VALUES (?, ?, ?)
    ON CONFLICT (job) DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason
"""

# The same member's second report of a result, or the check's second look, is the first one's.
INSERT_CASE = """
    INSERT INTO moderation_case (guild, job, kind, by, reason, opened_at)
    VALUES (:guild, :job, :kind, :by, :reason, :now)
    ON CONFLICT (job, kind, by) DO NOTHING
    RETURNING *
"""

SELECT_OPEN_CASES = """
    SELECT * FROM moderation_case
     WHERE guild = ? AND closed_at IS NULL ORDER BY number LIMIT ?
"""

SELECT_OPEN_CASE = (
    "SELECT * FROM moderation_case WHERE guild = ? AND number = ? AND closed_at IS NULL"
)

CLOSE_CASES = """
    UPDATE moderation_case SET closed_at = :now, closed_by = :actor, outcome = :outcome
     WHERE job = :job AND closed_at IS NULL
"""


class ModerationStore:
    """Verdicts and cases."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def get_screening(self, job: str) -> ScreeningRecord | None:
        """Return what was decided about a job's result, or None."""
        sql = "SELECT verdict, reason FROM screening WHERE job = ?"
        row = await self._database.fetch_one(sql, (job,))
        if row is None:
            return None
        return ScreeningRecord(verdict=Verdict(row["verdict"]), reason=row["reason"])

    async def save_screening(self, job: str, screening: ScreeningRecord) -> None:
        """Note what may be shown of a job's result, in place of what was decided before."""
        await self._database.execute(SAVE_SCREENING, (job, screening.verdict, screening.reason))

    async def open_case(
        self, guild: str, job: str, kind: str, by: str = "", reason: str = ""
    ) -> ModerationCase | None:
        """Open a case, or return None where there was that one already."""
        values = {
            "guild": guild,
            "job": job,
            "kind": kind,
            "by": by,
            "reason": reason,
            "now": to_microseconds(self._clock.now()),
        }
        row = await self._database.fetch_one(INSERT_CASE, values)
        return None if row is None else ModerationCase.from_row(row)

    async def list_open_cases(self, guild: str, limit: int = 25) -> list[ModerationCase]:
        """Return the server's open cases, oldest first."""
        return [
            ModerationCase.from_row(row)
            for row in await self._database.fetch_all(SELECT_OPEN_CASES, (guild, limit))
        ]

    async def get_open_case(self, guild: str, number: int) -> ModerationCase | None:
        """Return one of the server's open cases, or None."""
        row = await self._database.fetch_one(SELECT_OPEN_CASE, (guild, number))
        return None if row is None else ModerationCase.from_row(row)

    async def close_cases(self, job: str, actor: str, screening: ScreeningRecord) -> None:
        """Decide about a result for good and close all cases about it, in one."""
        outcome = "deleted" if screening.verdict is Verdict.DELETED else "released"
        closed_at = to_microseconds(self._clock.now())
        values = {"job": job, "actor": actor, "outcome": outcome, "now": closed_at}
        async with self._database.transaction() as transaction:
            await transaction.execute(SAVE_SCREENING, (job, screening.verdict, screening.reason))
            await transaction.execute(CLOSE_CASES, values)

    async def add_post(self, job: str, channel: int, message: int) -> None:
        """Note one more message that shows pictures of a job's result."""
        sql = "INSERT OR IGNORE INTO post (job, channel, message) VALUES (?, ?, ?)"
        await self._database.execute(sql, (job, str(channel), str(message)))

    async def list_posts(self, job: str) -> list[tuple[int, int]]:
        """Return channel and message of those that were noted."""
        sql = "SELECT channel, message FROM post WHERE job = ?"
        rows = await self._database.fetch_all(sql, (job,))
        return [(int(row["channel"]), int(row["message"])) for row in rows]

    async def forget_member(self, owner: str) -> None:
        """Delete the member's reports."""
        await self._database.execute("DELETE FROM moderation_case WHERE by = ?", (owner,))
