"""A process that ends with the one that started it, whatever it is at."""

from __future__ import annotations

import ctypes
import signal
import sys

#: prctl's name for: send me this signal when the thread that started me ends. Source: prctl.h.
PR_SET_PDEATHSIG = 1


def end_with_parent() -> bool:
    """Have the kernel kill this process once its parent is gone; say whether it will. Linux alone.

    A parent that ends in order closes the input, at whose end a process ends by itself. One that
    is killed closes it, too, but whoever hangs in a loop or a kernel reads no more, and would keep
    the card. It holds for the thread that started the process: that must live as long as this.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0)
