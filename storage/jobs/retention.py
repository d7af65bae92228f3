"""Delete ended jobs and list the images that the remaining ones need."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.clock import ONE_MICROSECOND, from_microseconds, to_microseconds
from storage.jobs.base import JobTable

JOBS_PER_PAGE = 500  # jobs read at a time, so that a claim never waits long behind a sweep

DELETE_OWNER_JOBS = "DELETE FROM job WHERE owner = ? RETURNING id"

# A member without jobs who owes nothing: who comes back would start no later. What is owed, an id
# and a number, stays until others were served as much.
FORGET_MEMBERS = """
    DELETE FROM member
     WHERE (:owner IS NULL OR owner = :owner) AND queued = 0
       AND vtime <= (SELECT vtime FROM fair_clock)
       AND vtime <= coalesce((SELECT min(vtime) FROM member WHERE queued > 0), vtime)
       AND NOT EXISTS (SELECT * FROM job WHERE job.owner = member.owner)
"""

_PURGE_TEMPLATE = """
    DELETE FROM job
     WHERE id IN (
       SELECT id FROM job
        WHERE finished_at IS NOT NULL AND finished_at < :before {condition}
          AND delivery NOT IN ('pending', 'sending')
        ORDER BY finished_at LIMIT :limit)
    RETURNING id
"""
PURGE_ENDED = _PURGE_TEMPLATE.format(condition="")
PURGE_GUILD = _PURGE_TEMPLATE.format(condition="AND guild = :guild")
PURGE_CANCELLED = _PURGE_TEMPLATE.format(condition="AND state = 'cancelled'")

# Each step goes to the next server's first row in the index, however many jobs lie between.
SELECT_GUILDS = """
    WITH RECURSIVE found (guild) AS (
      SELECT min(guild) FROM job WHERE finished_at IS NOT NULL
      UNION ALL
      SELECT (SELECT min(guild) FROM job WHERE finished_at IS NOT NULL AND guild > found.guild)
        FROM found WHERE found.guild IS NOT NULL)
    SELECT guild FROM found WHERE guild IS NOT NULL
"""

# Any text of 64 hexadecimal digits in what a job keeps counts as a picture it needs: to keep one
# too many costs some bytes, to delete one too many costs a picture.
_REFERENCED_TEMPLATE = """
    WITH page AS MATERIALIZED (
      SELECT id, inputs, result FROM job WHERE {condition} ORDER BY id LIMIT :page),
    document AS (
      SELECT inputs AS content FROM page
      UNION ALL SELECT result FROM page WHERE result IS NOT NULL
      UNION ALL SELECT output FROM job_part JOIN page ON page.id = job_part.job)
    SELECT DISTINCT tree.atom AS key
      FROM document, json_tree(document.content) AS tree
     WHERE tree.type = 'text' AND length(tree.atom) = 64 AND tree.atom NOT GLOB '*[^0-9a-f]*'
"""

_PAGE_END_TEMPLATE = (
    "SELECT max(id) FROM (SELECT id FROM job WHERE {condition} ORDER BY id LIMIT :page)"
)

# Of everyone, or of one owner.
EVERYONE_CONDITION, OWNER_CONDITION = "id > :after", "owner = :owner AND id > :after"
OTHERS_CONDITION = "id <> :job AND id > :after"
REFERENCED_QUERIES = {
    condition: (
        _PAGE_END_TEMPLATE.format(condition=condition),
        _REFERENCED_TEMPLATE.format(condition=condition),
    )
    for condition in (EVERYONE_CONDITION, OWNER_CONDITION, OTHERS_CONDITION)
}


# What a member's jobs keep, a row a picture. A job that owes a delivery, or about which moderators
# have not decided, does not go to make room.
SELECT_KEPT = """
    WITH page AS MATERIALIZED (
      SELECT id, finished_at, inputs, result,
             finished_at IS NOT NULL AND delivery NOT IN ('pending', 'sending')
               AND NOT EXISTS (SELECT * FROM moderation_case
                                WHERE job = job.id AND closed_at IS NULL) AS may_go,
             EXISTS (SELECT * FROM star WHERE star.job = job.id) AS starred
        FROM job WHERE owner = :owner AND id > :after ORDER BY id LIMIT :page),
    document AS (
      SELECT id, finished_at, may_go, starred, inputs AS content FROM page
      UNION ALL SELECT id, finished_at, may_go, starred, result FROM page WHERE result IS NOT NULL
      UNION ALL SELECT id, finished_at, may_go, starred, output
                  FROM job_part JOIN page ON page.id = job_part.job)
    SELECT document.id, finished_at, may_go, starred, tree.atom AS key
      FROM document, json_tree(document.content) AS tree
     WHERE tree.type = 'text' AND length(tree.atom) = 64 AND tree.atom NOT GLOB '*[^0-9a-f]*'
"""

ADD_STAR = "INSERT OR IGNORE INTO star SELECT id FROM job WHERE id = :id"
REMOVE_STAR = "DELETE FROM star WHERE job = :id"

DELETE_KEPT = """
    DELETE FROM job
     WHERE id IN (SELECT value FROM json_each(:ids))
       AND finished_at IS NOT NULL AND delivery NOT IN ('pending', 'sending')
    RETURNING id
"""

# Each step goes to the next owner's first row in the index, however many jobs lie between.
SELECT_OWNERS = """
    WITH RECURSIVE found (owner) AS (
      SELECT min(owner) FROM job
      UNION ALL
      SELECT (SELECT min(owner) FROM job WHERE owner > found.owner)
        FROM found WHERE found.owner IS NOT NULL)
    SELECT owner FROM found WHERE owner IS NOT NULL
"""

SAVE_TRUSTED_TIME = """
    INSERT INTO trusted_time (only_row, at, doubted_for) VALUES (1, :at, :doubted_for)
    ON CONFLICT (only_row) DO UPDATE SET at = excluded.at, doubted_for = excluded.doubted_for
"""


@dataclass
class KeptJob:
    """A job and the keys of the pictures that it keeps."""

    id: str
    #: Microseconds since 1970; None while it waits or runs.
    finished_at: int | None
    #: Whether it may be deleted to make room.
    may_go: bool
    keys: set[str]
    #: Whether its owner put a star on it: it goes after all others.
    is_starred: bool = False


class JobRetention(JobTable):
    """Delete jobs older than the retention period, and those of members who leave."""

    async def purge_ended(self, ended_before: datetime, guild: str | None = None) -> int:
        """Delete the jobs that ended before that time and owe no delivery; return how many.

        With `guild`, only those of that server. Members of whom nothing is left go, too.
        """
        values = {"before": to_microseconds(ended_before), "guild": guild, "limit": JOBS_PER_PAGE}
        sql = PURGE_ENDED if guild is None else PURGE_GUILD
        purged_count = 0
        while page := await self._database.fetch_all(sql, values):
            purged_count += len(page)
        await self._database.execute(FORGET_MEMBERS, {"owner": None})
        return purged_count

    async def purge_cancelled(self, ended_before: datetime) -> int:
        """Delete the jobs that were cancelled before that time; return how many."""
        values = {"before": to_microseconds(ended_before), "limit": JOBS_PER_PAGE}
        purged_count = 0
        while page := await self._database.fetch_all(PURGE_CANCELLED, values):
            purged_count += len(page)
        return purged_count

    async def trusted_time(self) -> tuple[datetime, timedelta] | None:
        """Return when the clock was last believed, and for how long it was doubted since."""
        row = await self._database.fetch_one("SELECT at, doubted_for FROM trusted_time")
        if row is None:
            return None
        return from_microseconds(row["at"]), row["doubted_for"] * ONE_MICROSECOND

    async def save_trusted_time(self, moment: datetime, doubted_for: timedelta) -> None:
        """Note what `trusted_time` returns."""
        values = {"at": to_microseconds(moment), "doubted_for": doubted_for // ONE_MICROSECOND}
        await self._database.execute(SAVE_TRUSTED_TIME, values)

    async def list_owners(self) -> list[str]:
        """Return the members of whom jobs are kept."""
        return [row["owner"] for row in await self._database.fetch_all(SELECT_OWNERS)]

    async def list_kept(self, owner: str) -> list[KeptJob]:
        """Return a member's jobs that keep pictures, those that ended first before the others.

        Those with a star come last.
        """
        kept_jobs: dict[str, KeptJob] = {}
        page_end, _ = REFERENCED_QUERIES[OWNER_CONDITION]
        values = {"owner": owner, "after": "", "page": JOBS_PER_PAGE}
        while end := await self._database.fetch_value(page_end, values):
            for row in await self._database.fetch_all(SELECT_KEPT, values):
                job = kept_jobs.setdefault(
                    row["id"],
                    KeptJob(
                        row["id"],
                        row["finished_at"],
                        bool(row["may_go"]),
                        set(),
                        bool(row["starred"]),
                    ),
                )
                job.keys.add(row["key"])
            values["after"] = end
        return sorted(
            kept_jobs.values(),
            key=lambda job: (
                job.is_starred,
                job.finished_at is None,
                job.finished_at or 0,
                job.id,
            ),
        )

    async def set_star(self, id: str, *, is_starred: bool) -> None:
        """Put a star on a job, or take it off; one that is gone has none."""
        await self._database.execute(ADD_STAR if is_starred else REMOVE_STAR, {"id": id})

    async def delete_kept(self, ids: Collection[str]) -> int:
        """Delete those of the jobs that have ended and owe no delivery; return how many."""
        rows = await self._database.fetch_all(DELETE_KEPT, {"ids": json.dumps(list(ids))})
        return len(rows)

    async def list_guilds(self) -> list[str]:
        """Return the servers of which ended jobs are kept."""
        return [row["guild"] for row in await self._database.fetch_all(SELECT_GUILDS)]

    async def forget_owner(self, owner: str) -> int:
        """Delete all jobs of a member, running ones too; return how many.

        What the member owes in the fair queue stays, until others were served as much.

        The member's pictures go with the next sweep of the blobs, unless another job needs them.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch_all(DELETE_OWNER_JOBS, (owner,))
            await transaction.execute(FORGET_MEMBERS, {"owner": owner})
        return len(rows)

    async def empty_log(self) -> bool:
        """Take what was deleted out of the database's log, too; False while a reader needs it."""
        return await self._database.truncate_log()

    async def referenced_blobs(self, owner: str | None = None) -> set[str]:
        """Return the keys of all pictures that some job started from or came to.

        With `owner`, only those of that member's jobs.
        """
        condition = EVERYONE_CONDITION if owner is None else OWNER_CONDITION
        return await self._list_references(condition, {"owner": owner})

    async def blobs_of_others(self, job: str) -> set[str]:
        """Return the keys of all pictures that some other job started from or came to."""
        return await self._list_references(OTHERS_CONDITION, {"job": job})

    async def _list_references(self, condition: str, identity: Mapping[str, object]) -> set[str]:
        page_end, keys_query = REFERENCED_QUERIES[condition]
        keys: set[str] = set()
        values = {**identity, "after": "", "page": JOBS_PER_PAGE}
        while end := await self._database.fetch_value(page_end, values):
            keys.update(row["key"] for row in await self._database.fetch_all(keys_query, values))
            values["after"] = end
        return keys
