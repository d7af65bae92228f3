"""Which pictures of a job's result others can start from."""

from __future__ import annotations

from typing import Any

from storage.records import JobRecord

RESULT_ROLE = "result"
STILL_MEDIA_TYPE = "image/png"
MAX_RESULT_IMAGES = 8  # pictures of the largest batch; what is more was not asked for


def result_images(record: JobRecord) -> list[dict[str, Any]]:
    """List them in their order; of a job that made only frames or previews, the last."""
    entries = (record.result or {}).get("pictures") or ()
    still_images = [
        dict(entry)
        for entry in entries
        if entry.get("media_type", STILL_MEDIA_TYPE) == STILL_MEDIA_TYPE
    ]
    return [entry for entry in still_images if entry.get("role", RESULT_ROLE) == RESULT_ROLE][
        :MAX_RESULT_IMAGES
    ] or still_images[-1:]


def is_batch(record: JobRecord) -> bool:
    """Whether it made several pictures, which are shown as one contact sheet."""
    return len(result_images(record)) > 1


def seam_mask_key(record: JobRecord) -> str:
    """Return the key of the mask along whose edge the result shows a seam; empty for none."""
    seams = (record.result or {}).get("seams") or ()
    return str(seams[0]["key"]) if seams else ""
