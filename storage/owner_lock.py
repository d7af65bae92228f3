"""The lock by which one process owns a database file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from storage.errors import DatabaseLocked


@contextmanager
def hold_owner_lock(database: Path) -> Iterator[None]:
    """Hold an exclusive lock on `<database>.lock` until the block or the process ends.

    Who holds it is written to `<database>.pid`: another process may read that file while the lock
    is held, on every system. Child processes do not inherit the lock, so a worker that outlives
    the bot holds nothing.

    Raises:
        DatabaseLocked: another process (or another opener in this one) holds it.
    """
    holder_file = database.with_name(database.name + ".pid")
    lock = FileLock(database.with_name(database.name + ".lock"), mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        holder = holder_file.read_text(encoding="ascii") if holder_file.exists() else ""
        raise DatabaseLocked(database, holder.strip()) from error
    try:
        holder_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield
    finally:
        lock.release()
