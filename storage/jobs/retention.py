"""What is kept and what is forgotten."""

from __future__ import annotations

from datetime import datetime

from storage.clock import to_microseconds
from storage.jobs.base import JobTable

PAGE = 500  # jobs read at a time, so that a claim never waits long behind a sweep

FORGET = "DELETE FROM job WHERE owner = ? RETURNING id"

PURGE = """
    DELETE FROM job
     WHERE id IN (
       SELECT id FROM job
        WHERE finished_at IS NOT NULL AND finished_at < ?
          AND delivery NOT IN ('pending', 'sending')
        ORDER BY finished_at LIMIT ?)
    RETURNING id
"""

# Any text of 64 hexadecimal digits in what a job keeps counts as a picture it needs: to keep one
# too many costs some bytes, to delete one too many costs a picture.
REFERENCED = """
    WITH page AS MATERIALIZED (
      SELECT id, inputs, result FROM job WHERE id > :after ORDER BY id LIMIT :page),
    document AS (
      SELECT inputs AS content FROM page
      UNION ALL SELECT result FROM page WHERE result IS NOT NULL
      UNION ALL SELECT output FROM job_part JOIN page ON page.id = job_part.job)
    SELECT DISTINCT tree.atom AS key
      FROM document, json_tree(document.content) AS tree
     WHERE tree.type = 'text' AND length(tree.atom) = 64 AND tree.atom NOT GLOB '*[^0-9a-f]*'
"""

PAGE_END = "SELECT max(id) FROM (SELECT id FROM job WHERE id > ? ORDER BY id LIMIT ?)"


class Retention(JobTable):
    """The end of records."""

    async def purge(self, before: datetime) -> int:
        """Delete the jobs that ended before that time and owe no delivery; return how many."""
        gone = 0
        while page := await self._database.fetch_all(PURGE, (to_microseconds(before), PAGE)):
            gone += len(page)
        return gone

    async def forget(self, owner: str) -> int:
        """Delete all jobs of a member, running ones too; return how many.

        The member's pictures go with the next sweep of the blobs, unless another job needs them.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch_all(FORGET, (owner,))
            await transaction.execute("DELETE FROM member WHERE owner = ?", (owner,))
        return len(rows)

    async def referenced_blobs(self) -> set[str]:
        """Return the keys of all pictures that some job started from or came to."""
        keys: set[str] = set()
        after = ""
        while end := await self._database.fetch_value(PAGE_END, (after, PAGE)):
            rows = await self._database.fetch_all(REFERENCED, {"after": after, "page": PAGE})
            keys.update(row["key"] for row in rows)
            after = end
        return keys
