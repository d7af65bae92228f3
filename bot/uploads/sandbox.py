"""What a decoder process may use of the machine: set by itself, before it sees a stranger's byte.

Limits of POSIX (`resource`): memory, processor time, no file written, and no descriptor beyond the
three pipes, so neither files nor sockets can be opened. Where a limit does not exist (all of them
on Windows, memory on macOS) the process is still one of its own that is killed when it takes too
long.
"""

from __future__ import annotations

import contextlib
import sys

if sys.platform == "win32":
    LIMITS_AVAILABLE = False

    def confine_process(memory_bytes: int) -> None:
        """Do nothing: Windows has no such limits."""

    def allow_cpu_seconds(seconds: float) -> None:
        """Do nothing: the bot's own clock ends what takes too long."""

    def virtual_memory_bytes() -> int:
        """Say nothing."""
        return 0

else:
    import resource

    LIMITS_AVAILABLE = True
    MAX_DESCRIPTORS = 3  # standard input, output and error

    def confine_process(memory_bytes: int) -> None:
        """Give up everything that decoding needs not.

        Args:
            memory_bytes: bytes of address space to have beyond what the process has now.
        """
        total = virtual_memory_bytes() + memory_bytes
        limits = {
            resource.RLIMIT_AS: total,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
        }
        for limit, value in limits.items():
            # macOS refuses some of them; the others hold.
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, value))

    def allow_cpu_seconds(seconds: float) -> None:
        """Allow so much more processor time; beyond it the system ends the process."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        limit_seconds = int(usage.ru_utime + usage.ru_stime + seconds) + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (limit_seconds, hard))

    def virtual_memory_bytes() -> int:
        """Tell the address space of this process, in bytes; 0 where the system does not say."""
        try:
            with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
                return int(file.read().split()[0]) * resource.getpagesize()
        except OSError:
            return 0
