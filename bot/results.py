"""Which pictures of a job's result others can start from."""

from __future__ import annotations

from typing import Any

from storage.records import JobRecord

RESULT = "result"
STILL = "image/png"
MOST = 8  # pictures of the largest batch; what is more was not asked for


def pictures_of(record: JobRecord) -> list[dict[str, Any]]:
    """List them in their order; of a job that made only frames or previews, the last."""
    made = (record.result or {}).get("pictures") or ()
    still = [dict(one) for one in made if one.get("media_type", STILL) == STILL]
    return [one for one in still if one.get("role", RESULT) == RESULT][:MOST] or still[-1:]


def is_batch(record: JobRecord) -> bool:
    """Whether it made several pictures, which are shown as one contact sheet."""
    return len(pictures_of(record)) > 1


def seam_of(record: JobRecord) -> str:
    """Return the key of the mask along whose edge the result shows a seam; empty for none."""
    seams = (record.result or {}).get("seams") or ()
    return str(seams[0]["key"]) if seams else ""
