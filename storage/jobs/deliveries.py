"""How a job's end reaches its owner, as a state machine that survives a crash in any state.

none → pending → sending → sent, or → undelivered, from which it can be asked for again.
A delivery is noted as sending before anything is sent and as sent after, so what a crash leaves
in sending may or may not have arrived: look before sending again.
"""

from __future__ import annotations

from datetime import datetime

from storage.clock import to_microseconds
from storage.jobs.base import JobTable
from storage.records import JobRecord

BEGIN_DELIVERY = """
    UPDATE job
       SET delivery = 'sending', deliveries = deliveries + 1, delivery_route = :route,
           delivery_at = :now
     WHERE id = :id AND delivery = 'pending'
    RETURNING id
"""

MARK_DELIVERED = """
    UPDATE job
       SET delivery = 'sent', message = :message, delivery_note = NULL, delivery_at = :now,
           reply_to = coalesce(:lasting, reply_to),
           address_since = CASE WHEN :lasting IS NULL THEN address_since END
     WHERE id = :id AND delivery = 'sending'
    RETURNING id
"""

MARK_UNDELIVERABLE = """
    UPDATE job SET delivery = 'undelivered', delivery_note = :reason, delivery_at = :now
     WHERE id = :id AND delivery IN ('pending', 'sending')
    RETURNING id
"""

REQUEUE_DELIVERY = """
    UPDATE job SET delivery = 'pending', delivery_note = :reason, delivery_at = :now
     WHERE id = :id AND delivery IN ('sending', 'undelivered')
    RETURNING id
"""

SELECT_PENDING = "SELECT * FROM job WHERE delivery = 'pending' ORDER BY finished_at, id LIMIT ?"

SELECT_INTERRUPTED = "SELECT * FROM job WHERE delivery = 'sending' ORDER BY finished_at, id"

SELECT_UNDELIVERED = """
    SELECT * FROM job INDEXED BY job_undelivered
     WHERE delivery = 'undelivered' AND owner = ? ORDER BY id LIMIT ?
"""

UPDATE_REPLY_TO = (
    "UPDATE job SET reply_to = :reply_to, address_since = :now WHERE id = :id RETURNING id"
)

SELECT_EXPIRED_REPLY_TARGETS = """
    SELECT id, reply_to FROM job
     WHERE address_since < :before ORDER BY address_since LIMIT :limit
"""

REMOVE_EXPIRED_ADDRESS = """
    UPDATE job SET reply_to = :lasting, address_since = NULL
     WHERE id = :id AND reply_to = :reply_to
    RETURNING id
"""


class JobDeliveries(JobTable):
    """The announcements of ended jobs."""

    async def pending_deliveries(self, limit: int = 100) -> list[JobRecord]:
        """Return the jobs whose end has to be announced, the longest waiting first."""
        return await self._fetch_records(SELECT_PENDING, (limit,))

    async def interrupted_deliveries(self) -> list[JobRecord]:
        """Return the jobs in sending; at start-up, those whose announcement may have arrived."""
        return await self._fetch_records(SELECT_INTERRUPTED)

    async def list_undelivered(self, owner: str, limit: int = 25) -> list[JobRecord]:
        """Return the owner's outbox: jobs whose end could not be announced, oldest first."""
        return await self._fetch_records(SELECT_UNDELIVERED, (owner, limit))

    async def begin_delivery(self, id: str, route: str | None = None) -> bool:
        """Note, before anything is sent, that it is about to be; False when it is not pending."""
        return await self._try_change(
            BEGIN_DELIVERY, {"id": id, "route": route, "now": self._now_microseconds()}
        )

    async def mark_delivered(
        self, id: str, message: str, tokenless_reply_to: str | None = None
    ) -> bool:
        """Note that it arrived as `message`; False when it was not being sent.

        `tokenless_reply_to` replaces the address, whose token nothing needs any more.
        """
        values = {"id": id, "message": message, "lasting": tokenless_reply_to}
        return await self._try_change(MARK_DELIVERED, {**values, "now": self._now_microseconds()})

    async def mark_undeliverable(self, id: str, reason: str) -> bool:
        """Note that it cannot arrive, and why; False when there is nothing left to announce."""
        return await self._try_change(
            MARK_UNDELIVERABLE, {"id": id, "reason": reason, "now": self._now_microseconds()}
        )

    async def requeue_delivery(self, id: str, reason: str | None = None) -> bool:
        """Let it be tried again; False unless it is known not to have arrived."""
        return await self._try_change(
            REQUEUE_DELIVERY, {"id": id, "reason": reason, "now": self._now_microseconds()}
        )

    async def update_reply_to(self, id: str, reply_to: str) -> bool:
        """Replace where the answer goes, as when a token in it has run out."""
        values = {"id": id, "reply_to": reply_to, "now": self._now_microseconds()}
        return await self._try_change(UPDATE_REPLY_TO, values)

    async def expired_reply_targets(
        self, issued_before: datetime, limit: int = 500
    ) -> list[tuple[str, str]]:
        """Return id and address of jobs whose address was given before that time, oldest first.

        Those retired since are not among them.
        """
        values = {"before": to_microseconds(issued_before), "limit": limit}
        rows = await self._database.fetch_all(SELECT_EXPIRED_REPLY_TARGETS, values)
        return [(row["id"], row["reply_to"]) for row in rows]

    async def drop_reply_token(self, id: str, reply_to: str, tokenless_reply_to: str) -> bool:
        """Replace the address by what of it still works; False when it was another meanwhile."""
        values = {"id": id, "reply_to": reply_to, "lasting": tokenless_reply_to}
        return await self._try_change(REMOVE_EXPIRED_ADDRESS, values)
