"""How a worker's memory allocator treats large blocks.

glibc asks the kernel for every block above 32 MiB and gives it back when it is freed, so each layer
of a network over a large picture or batch pays for its pages anew: a third of the time of eight
tiles together. Kept, the same pages serve the next layer.
"""

from __future__ import annotations

import ctypes
import platform

#: mallopt's names for: give back free memory at the heap's end above so many bytes; ask the kernel
#: for blocks above so many bytes. Source: malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
#: Bytes; above the largest layer of any tile here.
MALLOC_THRESHOLD_BYTES = 2**30


def keep_freed_memory() -> bool:
    """Let glibc keep large freed blocks for the next ones; say whether it does. Others: no."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(
        mallopt(option, MALLOC_THRESHOLD_BYTES) for option in (TRIM_THRESHOLD, MMAP_THRESHOLD)
    )
