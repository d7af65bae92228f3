"""Which failures are for their owner to mend, by the code that the worker gave."""

from __future__ import annotations

from inference.api.notices import NOTICES, read_notice
from storage.records import JobRecord

UNCORRECTABLE_GROUPS = ("job.", "worker.", "result.")
CORRECTABLE_CODES = frozenset({"job.out_of_memory", "job.too_dear", "job.result_too_long"})
"""Codes of those groups that another size, or fewer pictures, would mend."""


def is_correctable_failure(record: JobRecord) -> bool:
    """Whether a failed job would do with other options or another picture.

    What broke by itself, or ran out of attempts, may do as it is at another try.
    """
    code = read_notice(record.error or "").code
    if code not in NOTICES:
        return False
    return code in CORRECTABLE_CODES or not code.startswith(UNCORRECTABLE_GROUPS)
