"""The one border where foreign errors become the storage's own."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import (
    ConstraintBroken,
    DatabaseCorrupt,
    DatabaseFailed,
    DatabaseLocked,
    DiskFull,
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
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintBroken(f"The statement would have broken a rule of the schema: {error}.")
    return DatabaseFailed(f"The database {path} refused a statement: {error}.")


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise the storage's error wherever SQLite raises one of its own."""
    try:
        yield
    except sqlite3.Error as error:
        raise to_storage_error(error, path) from error


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Raise DiskFull where the system says that there is no room left; let the rest pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from error
        raise
