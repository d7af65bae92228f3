"""What a decoder that a file has taken over would try, each on the machine it really runs on.

Every attack takes the path of a file that is not the decoder's, raises OSError where it is refused
and returns where it worked. Those of `BY_NUMBER` are calls that Python knows no name of.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import socket
import threading
from collections.abc import Callable

BOT = os.getppid()  # asked before the process is confined
LIBC = ctypes.CDLL(None, use_errno=True)
IPC_CREAT = 0o1000
ROOM = ctypes.create_string_buffer(256)  # for what a call reads or writes

BY_NUMBER = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "fsopen": 430,
    "pidfd_open": 434,
    "clone3": 435,
    "openat2": 437,
    "pidfd_getfd": 438,
    "memfd_secret": 447,
}
"""Equal on every architecture, as all calls since Linux 5.1 are."""


def _call(name: str, *arguments: object) -> int:
    ctypes.set_errno(0)
    result = int(getattr(LIBC, name)(*arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def _start_thread() -> None:
    try:
        threading.Thread(target=int).start()
    except RuntimeError as error:
        raise OSError(errno.EPERM, "thread") from error


def _close_and_open(path: str, *closed: int) -> None:
    for descriptor in closed:
        os.close(descriptor)
    os.open(path, os.O_RDONLY)


def _by_number(number: int) -> Callable[[str], object]:
    return lambda path: _call("syscall", number, 1, ROOM, ROOM, 24, 0)


Attack = Callable[[str], object]

#: Each would come by a descriptor that it was not given.
DESCRIPTORS: dict[str, Attack] = {
    "open a file": lambda path: os.open(path, os.O_RDONLY),
    "open a folder": lambda path: os.open("/", os.O_RDONLY),
    "open a path alone": lambda path: os.open("/", os.O_PATH),
    "read the bot's environment": lambda path: os.open(f"/proc/{BOT}/environ", os.O_RDONLY),
    "read the bot's memory": lambda path: os.open(f"/proc/{BOT}/mem", os.O_RDONLY),
    "write its own memory": lambda path: os.open("/proc/self/mem", os.O_RDWR),
    "open its own pipe anew": lambda path: os.open("/proc/self/fd/1", os.O_RDWR),
    "open the terminal": lambda path: os.open("/dev/tty", os.O_RDWR),
    "a socket": lambda path: socket.socket(socket.AF_INET),
    "a datagram": lambda path: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "a local socket": lambda path: socket.socket(socket.AF_UNIX),
    "a pair of sockets": lambda path: socket.socketpair(),
    "a pipe": lambda path: os.pipe(),
    "double a descriptor": lambda path: os.dup(0),
    "double it by fcntl": lambda path: fcntl.fcntl(0, fcntl.F_DUPFD, 10),
    "memory as a file": lambda path: os.memfd_create("x"),
    "epoll": lambda path: select.epoll(),
    "eventfd": lambda path: _call("eventfd", 0, 0),
    "inotify": lambda path: _call("inotify_init1", 0),
    "timerfd": lambda path: _call("timerfd_create", 1, 0),
    **{name: _by_number(number) for name, number in BY_NUMBER.items() if name != "clone3"},
}

#: Each would change something outside, or make another process.
DEEDS: dict[str, Attack] = {
    "delete a file": os.unlink,
    "rename a file": lambda path: os.rename(path, path + ".gone"),  # noqa: PTH104
    "link a file": lambda path: os.link(path, path + ".link"),
    "link by name": lambda path: os.symlink(path, path + ".symlink"),  # noqa: PTH211
    "make a folder": lambda path: os.mkdir(path + ".folder"),  # noqa: PTH102
    "make a named pipe": lambda path: os.mkfifo(path + ".pipe"),
    "cut a file": lambda path: os.truncate(path, 0),
    "change a file's mode": lambda path: os.chmod(path, 0o777),  # noqa: PTH101
    "change a file's owner": lambda path: os.chown(path, 0, 0),
    "change a file's time": lambda path: os.utime(path),
    "look at a file": os.stat,
    "change the folder": lambda path: os.chdir("/tmp"),
    "bind what it has": lambda path: _call("bind", 0, ROOM, 16),
    "connect what it has": lambda path: _call("connect", 0, ROOM, 16),
    "signal the bot": lambda path: os.kill(BOT, 0),
    "signal everybody": lambda path: os.kill(-1, 0),
    "signal itself": lambda path: os.kill(os.getpid(), 0),
    "fork": lambda path: os.fork() or os._exit(0),
    "a thread": lambda path: _start_thread(),
    "run a program": lambda path: os.posix_spawn("/bin/true", ["true"], {}),
    "become a program": lambda path: os.execv("/bin/true", ["true"]),
    "clone3": _by_number(BY_NUMBER["clone3"]),
    "trace the bot": lambda path: _call("ptrace", 16, BOT, 0, 0),
    "read the bot's pages": lambda path: _call("process_vm_readv", BOT, ROOM, 1, ROOM, 1, 0),
    "descriptors again": lambda path: _call("setrlimit", resource.RLIMIT_NOFILE, ROOM),
    "the bot's limits": lambda path: _call("prlimit", BOT, resource.RLIMIT_CPU, None, ROOM),
    "become root": lambda path: os.setuid(0),
    "a namespace": lambda path: _call("unshare", 0x10000000),
    "mount": lambda path: _call("mount", b"x", b"/", b"tmpfs", 0, None),
    "another root": lambda path: os.chroot("/"),
    "shared memory": lambda path: _call("shmget", 0, 4096, IPC_CREAT | 0o600),
    "a queue of messages": lambda path: _call("msgget", 0, IPC_CREAT | 0o600),
    "control a device": lambda path: _call("ioctl", 0, 0x541B, ROOM),
    "code of its own": lambda path: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
}

#: Each ends the decoder's usefulness, so each needs one of its own.
LAST_DEEDS: dict[str, Attack] = {
    "open after closing 0": lambda path: _close_and_open(path, 0),
    "open after closing 2": lambda path: _close_and_open(path, 2),
    "open after closing 0 and 2": lambda path: _close_and_open(path, 0, 2),
}
ATTACKS = {**DESCRIPTORS, **DEEDS}


def run_attack(name: str, path: str) -> str:
    """Try one; name the error that stopped it, or say that it worked."""
    try:
        {**ATTACKS, **LAST_DEEDS}[name](path)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "no number")
    return "it worked"
