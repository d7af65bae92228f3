"""One process at a time owns a database and the folder that it lies in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from storage.disk.permissions import OWNER_ONLY_FILE_MODE
from storage.errors import DatabaseLocked


@contextmanager
def hold_owner_lock(database: Path) -> Iterator[None]:
    """Hold an exclusive lock on a database's folder until the block or the process ends.

    Two locks are held: on `<database>.lock`, which every system has, and on POSIX on the folder
    itself, so that deleting files while the owner works lets nobody else in. Who holds them is
    written to `<database>.pid`: another process may read that file while they are held. Child
    processes do not inherit the locks, so a worker that outlives the bot holds nothing.

    Raises:
        DatabaseLocked: another process (or another opener in this one) holds it.
    """
    holder_file = database.with_name(database.name + ".pid")
    lock = FileLock(
        database.with_name(database.name + ".lock"), mode=OWNER_ONLY_FILE_MODE, thread_local=False
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_folder_lock(database.parent))
            lock.acquire(timeout=0)
        except (Timeout, BlockingIOError) as error:
            holder = holder_file.read_text(encoding="ascii") if holder_file.exists() else ""
            raise DatabaseLocked(database, holder.strip()) from error
        stack.callback(lock.release)
        holder_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield


if sys.platform == "win32":

    @contextmanager
    def hold_folder_lock(folder: Path) -> Iterator[None]:
        """Do nothing: Windows deletes no file that is held open."""
        yield

else:
    import fcntl

    @contextmanager
    def hold_folder_lock(folder: Path) -> Iterator[None]:
        """Hold the folder, where its file system has such locks.

        Raises:
            BlockingIOError: somebody else holds it.
        """
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:  # some network file systems lock files only
                pass
            yield
        finally:
            os.close(descriptor)
