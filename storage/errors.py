"""The errors of the storage.

StorageError
├── DatabaseFailed        SQLite refused a statement for a reason of its own
│   ├── DatabaseLocked    another process owns the file
│   ├── DatabaseCorrupt   the file is damaged, or is no database
│   ├── DatabaseClosed    asked outside its `async with`
│   └── ConstraintBroken  a statement would have broken a rule of the schema
├── MigrationError        the schema and this version do not fit
├── BackupExists          the backup would overwrite a file
├── DiskFull              no room on the disk; what was stored before is whole
├── DiskReadOnly          the disk takes no writing; what was stored before is whole
├── QueueFull             a limit of the queue is reached
├── UnknownJob            no such job, or not this member's
└── BlobError             a picture
    ├── BadBlobKey        a key that is no SHA-256
    └── BlobMissing       no picture under this key
        └── BlobDamaged   a file is there, with other content than its key says
"""

from __future__ import annotations

import inspect
from pathlib import Path


class StorageError(Exception):
    """The storage failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(self))


class DatabaseFailed(StorageError):
    """The database refused a statement."""


class DatabaseLocked(DatabaseFailed):
    """The database is in use by another process. Stop that one first; two may never share it."""

    def __init__(self, path: Path, holder: str = "") -> None:
        by = f"process {holder}" if holder else "another process"
        super().__init__(
            f"The database {path} is in use by {by}. Stop that one first; two may never share it."
        )
        self.path, self.holder = path, holder


class DatabaseCorrupt(DatabaseFailed):
    """The database file is damaged. It was left as it is: move it away, or restore a backup."""

    def __init__(self, path: Path, finding: str) -> None:
        super().__init__(
            f"The database file {path} is damaged ({finding}). It was left as it is: "
            "move it away to start anew, or put a backup in its place."
        )
        self.path, self.finding = path, finding


class DatabaseClosed(DatabaseFailed):
    """The database is not open. Use it inside `async with Database(path)`."""


class ConstraintBroken(DatabaseFailed):
    """The statement would have broken a rule of the schema."""


class MigrationError(StorageError):
    """The database's schema does not fit this version of Easel."""


class BackupExists(StorageError):
    """The backup would overwrite a file. Name a new one."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"The backup would overwrite {path}. Name a new file.")
        self.path = path


class DiskFull(StorageError):
    """The disk is full. Free some space; everything stored before is whole."""


class DiskReadOnly(StorageError):
    """The disk is read-only, so nothing can be stored. The host has to make it writable again."""


class QueueFull(StorageError):
    """The queue is full. Wait until a job has ended."""

    def __init__(self, scope: str, limit: int, queued_count: int, wait: object = "") -> None:
        subject = {
            "owner": "You already have",
            "guild": "This server already has",
            "total": "The queue already holds",
        }[scope]
        jobs = "job" if queued_count == 1 else "jobs"
        super().__init__(
            f"{subject} {queued_count} waiting {jobs}, and the limit is {limit}. "
            f"Wait until one has started{f', in {wait}' if wait else ''}, or cancel one."
        )
        self.scope, self.limit, self.queued, self.wait = scope, limit, queued_count, wait

    def with_wait(self, wait: object) -> QueueFull:
        """Say so with the time that the wait will take, such as "20 to 40 s"."""
        return QueueFull(self.scope, self.limit, self.queued, wait)


class UnknownJob(StorageError):
    """There is no such job."""

    def __init__(self, job: str) -> None:
        super().__init__(f"There is no job “{job}”. It may have been deleted since.")
        self.job = job


class BlobError(StorageError):
    """A stored picture cannot be used."""

    def __init__(self, key: str, message: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class BadBlobKey(BlobError):
    """A picture's key must be the 64 hexadecimal digits of its SHA-256."""


class BlobMissing(BlobError):
    """The picture is no longer stored. Send it again."""


class BlobDamaged(BlobMissing):
    """The stored picture was damaged on the disk. Send it again."""
