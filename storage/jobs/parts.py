"""The finished parts of a job of several parts."""

from __future__ import annotations

import json

from storage.jobs.base import JobTable
from storage.records import Json, encode_json

SAVE_PART = """
    INSERT INTO job_part (job, part, output)
    SELECT id, :part, :output FROM job
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    ON CONFLICT (job, part) DO UPDATE SET output = excluded.output
    RETURNING part
"""


class JobPartialResults(JobTable):
    """Where a job of several parts goes on after its worker was lost."""

    async def record_part(
        self, id: str, attempt: int, worker: str, part: int, output: Json
    ) -> bool:
        """Keep what part number `part`, from 0, came to; False when the job was lost."""
        values = {"part": part, "output": encode_json(output)}
        return await self._change_as_holder(SAVE_PART, "record_part", id, attempt, worker, values)

    async def finished_parts(self, id: str) -> dict[int, Json]:
        """Return the finished parts' outputs by number, in order."""
        rows = await self._database.fetch_all(
            "SELECT part, output FROM job_part WHERE job = ? ORDER BY part", (id,)
        )
        return {row["part"]: json.loads(row["output"]) for row in rows}
