"""Tell lack of memory from other errors."""

from __future__ import annotations

import torch

#: How libraries spell it when they do not raise torch's own class.
OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "alloc_failed",
    "not enough memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an allocation failure from other errors, however it is spelled."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        message in str(error).lower() for message in OUT_OF_MEMORY_MESSAGES
    )
