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

BEGIN = """
    UPDATE job
       SET delivery = 'sending', deliveries = deliveries + 1, delivery_route = :route,
           delivery_at = :now
     WHERE id = :id AND delivery = 'pending'
    RETURNING id
"""

DELIVERED = """
    UPDATE job
       SET delivery = 'sent', message = :message, delivery_note = NULL, delivery_at = :now
     WHERE id = :id AND delivery = 'sending'
    RETURNING id
"""

UNDELIVERABLE = """
    UPDATE job SET delivery = 'undelivered', delivery_note = :reason, delivery_at = :now
     WHERE id = :id AND delivery IN ('pending', 'sending')
    RETURNING id
"""

REQUEUE = """
    UPDATE job SET delivery = 'pending', delivery_note = :reason, delivery_at = :now
     WHERE id = :id AND delivery IN ('sending', 'undelivered')
    RETURNING id
"""

PENDING = "SELECT * FROM job WHERE delivery = 'pending' ORDER BY finished_at, id LIMIT ?"

INTERRUPTED = "SELECT * FROM job WHERE delivery = 'sending' ORDER BY finished_at, id"

UNDELIVERED = """
    SELECT * FROM job INDEXED BY job_undelivered
     WHERE delivery = 'undelivered' AND owner = ? ORDER BY id LIMIT ?
"""

READDRESS = "UPDATE job SET reply_to = :reply_to, address_since = :now WHERE id = :id RETURNING id"

OLD_ADDRESSES = """
    SELECT id, reply_to FROM job
     WHERE address_since < :before ORDER BY address_since LIMIT :limit
"""

RETIRE_ADDRESS = """
    UPDATE job SET reply_to = :lasting, address_since = NULL
     WHERE id = :id AND reply_to = :reply_to
    RETURNING id
"""


class Deliveries(JobTable):
    """The announcements of ended jobs."""

    async def pending_deliveries(self, limit: int = 100) -> list[JobRecord]:
        """Return the jobs whose end has to be announced, the longest waiting first."""
        return await self._records(PENDING, (limit,))

    async def interrupted_deliveries(self) -> list[JobRecord]:
        """Return the jobs in sending; at start-up, those whose announcement may have arrived."""
        return await self._records(INTERRUPTED)

    async def undelivered(self, owner: str, limit: int = 25) -> list[JobRecord]:
        """Return the owner's outbox: jobs whose end could not be announced, oldest first."""
        return await self._records(UNDELIVERED, (owner, limit))

    async def begin_delivery(self, id: str, route: str | None = None) -> bool:
        """Note, before anything is sent, that it is about to be; False when it is not pending."""
        return await self._changed(BEGIN, {"id": id, "route": route, "now": self._now()})

    async def delivered(self, id: str, message: str) -> bool:
        """Note that it arrived as `message`; False when it was not being sent."""
        return await self._changed(DELIVERED, {"id": id, "message": message, "now": self._now()})

    async def undeliverable(self, id: str, reason: str) -> bool:
        """Note that it cannot arrive, and why; False when there is nothing left to announce."""
        return await self._changed(UNDELIVERABLE, {"id": id, "reason": reason, "now": self._now()})

    async def requeue_delivery(self, id: str, reason: str | None = None) -> bool:
        """Let it be tried again; False unless it is known not to have arrived."""
        return await self._changed(REQUEUE, {"id": id, "reason": reason, "now": self._now()})

    async def readdress(self, id: str, reply_to: str) -> bool:
        """Replace where the answer goes, as when a token in it has run out."""
        values = {"id": id, "reply_to": reply_to, "now": self._now()}
        return await self._changed(READDRESS, values)

    async def old_addresses(self, before: datetime, limit: int = 500) -> list[tuple[str, str]]:
        """Return id and address of jobs whose address was given before that time, oldest first.

        Those retired since are not among them.
        """
        values = {"before": to_microseconds(before), "limit": limit}
        rows = await self._database.fetch_all(OLD_ADDRESSES, values)
        return [(row["id"], row["reply_to"]) for row in rows]

    async def retire_address(self, id: str, reply_to: str, lasting: str) -> bool:
        """Replace the address by what of it still works; False when it was another meanwhile."""
        values = {"id": id, "reply_to": reply_to, "lasting": lasting}
        return await self._changed(RETIRE_ADDRESS, values)
