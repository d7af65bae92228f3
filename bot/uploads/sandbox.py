"""What a decoder process may use of the machine: set by itself, before it sees a stranger's byte.

Three layers, each with what the system has of it: limits of POSIX (memory, processor time, no file
written, no descriptor and no process made), Landlock (no path, no port, no signal) and a seccomp
filter, which leaves the few calls that decoding makes and refuses every other. A process of root
becomes nobody's. Where none exists (Windows) the process is still one of its own that is killed
when it takes too long. `doctor` says which layers hold.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

from inference.api.parent_death import end_with_parent

LIMITS, LANDLOCK, SECCOMP = "limits", "landlock", "seccomp"
PROTECTIONS = (LIMITS, LANDLOCK, SECCOMP)

if sys.platform == "win32":
    LIMITS_AVAILABLE = False

    def confine_process(memory_bytes: int) -> tuple[str, ...]:
        """Do nothing: Windows has no such limits."""
        return ()

    def allow_cpu_seconds(seconds: float) -> None:
        """Do nothing: the bot's own clock ends what takes too long."""

else:
    import errno
    import mmap
    import resource

    # Loaded now: a confined process could not. Either may lack its kernel or system library.
    py_landlock: Any = None
    pyseccomp: Any = None
    with contextlib.suppress(ImportError):
        py_landlock = importlib.import_module("py_landlock")
    with contextlib.suppress(ImportError, RuntimeError, OSError, AttributeError):
        pyseccomp = importlib.import_module("pyseccomp")

    LIMITS_AVAILABLE = True
    NOBODY = 65534  # the id of the user and group that own nothing
    ALLOWED_SYSCALLS = (
        *("read", "write", "close", "exit", "exit_group", "rt_sigreturn", "restart_syscall"),
        *("brk", "munmap", "mremap", "madvise", "futex", "getrusage", "getrandom"),
        *("clock_gettime", "clock_getres", "gettimeofday", "getpid", "gettid", "sched_yield"),
        "getcwd",  # Pillow asks for it whenever it writes, and makes nothing of it
    )
    """What reading a frame, decoding it and answering take."""
    CPU_LIMIT_SYSCALLS = ("getrlimit", "setrlimit")  # of libraries that do not use prlimit64

    def confine_process(memory_bytes: int) -> tuple[str, ...]:
        """Give up everything that decoding needs not.

        Args:
            memory_bytes: bytes of address space to have beyond what the process has now.

        Returns:
            Those of `PROTECTIONS` that hold from now on.
        """
        total = virtual_memory_bytes() + memory_bytes
        _silence_error_stream()
        landlocked = _forbid_paths()
        _become_nobody()
        end_with_parent()  # a change of user takes it back
        limits = {
            resource.RLIMIT_AS: total,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_NPROC: 0,
            resource.RLIMIT_NOFILE: 0,  # no new one, whatever is closed; the pipes stay open
        }
        for limit, value in limits.items():
            # macOS refuses some of them; the others hold.
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, value))
        held = {LIMITS: True, LANDLOCK: landlocked, SECCOMP: _filter_syscalls()}
        return tuple(name for name, holds in held.items() if holds)

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

    def _silence_error_stream() -> None:
        """Let go of the bot's own error stream: a terminal or log could be read through it."""
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.__stderr__.fileno() if sys.__stderr__ else 2)
        os.close(sink)

    def _become_nobody() -> None:
        """Let go of root, where the process is root's and the system knows another."""
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)

    def _forbid_paths() -> bool:
        """Have Landlock refuse every path, port and signal to others that the kernel knows of."""
        if py_landlock is None:
            return False
        try:
            py_landlock.Landlock(strict=False).apply()
        except (py_landlock.LandlockError, OSError):
            return False
        return True

    def _filter_syscalls() -> bool:
        """Have the kernel refuse every call but those of decoding, for good."""
        if pyseccomp is None:
            return False
        arg, equal, masked = pyseccomp.Arg, pyseccomp.EQ, pyseccomp.MASKED_EQ
        not_executable = arg(2, masked, mmap.PROT_EXEC, 0)
        own_cpu_limit = (arg(0, equal, 0), arg(1, equal, resource.RLIMIT_CPU))
        rules: list[tuple[str, tuple[Any, ...]]] = [(name, ()) for name in ALLOWED_SYSCALLS]
        rules += [("mmap", (not_executable,)), ("mprotect", (not_executable,))]
        rules += [("prlimit64", own_cpu_limit)]
        rules += [(name, (arg(0, equal, resource.RLIMIT_CPU),)) for name in CPU_LIMIT_SYSCALLS]
        try:
            syscall_filter = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
            for name, conditions in rules:
                syscall_filter.add_rule(pyseccomp.ALLOW, name, *conditions)
            syscall_filter.load()
        except OSError:
            return False
        return True
