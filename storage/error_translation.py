"""The one border where foreign errors become the storage's own."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import (
    ConstraintBroken,
    DatabaseCorrupt,
    DatabaseFailed,
    DatabaseLocked,
    DiskFull,
    DiskReadOnly,
    StorageError,
)

PRIMARY_CODE_MASK = 0xFF  # the low byte of an extended result code names the kind of failure


def to_storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """Return the storage's error for SQLite's `error` on the database at `path`."""
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE_MASK
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseLocked(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseCorrupt(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return DiskFull()
    if code == sqlite3.SQLITE_READONLY or (
        # A disk that became read-only meanwhile fails in the middle of things.
        code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and lies_on_read_only_disk(path)
    ):
        return DiskReadOnly()
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintBroken(f"The statement would have broken a rule of the schema: {error}.")
    return DatabaseFailed(f"The database {path} refused a statement: {error}.")


def lies_on_read_only_disk(path: Path) -> bool:
    """Whether the file system that a path lies on takes no writing; False where it cannot say."""
    if sys.platform == "win32":
        return False
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return bool(os.statvfs(existing).f_flag & os.ST_RDONLY)


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise the storage's error wherever SQLite raises one of its own."""
    try:
        yield
    except sqlite3.Error as error:
        raise to_storage_error(error, path) from error


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Raise DiskFull and DiskReadOnly where the system says so; let the rest pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from error
        if error.errno == errno.EROFS:
            raise DiskReadOnly from error
        raise
