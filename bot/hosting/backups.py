"""Backups while the bot runs: every so many hours, the newest few kept."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.backup import create_backup
from storage.blobs import BlobStore
from storage.database import Database

log = logging.getLogger(__name__)

NAME_FORMAT = "easel-%Y%m%dT%H%M%SZ"
NAME_PATTERN = re.compile(r"easel-\d{8}T\d{6}Z")
PARTIAL_PATTERN = re.compile(NAME_PATTERN.pattern + r"\.partial")
#: Between two looks whether a backup is due.
CHECK_INTERVAL_SECONDS = 600.0


class BackupSchedule:
    """Writes a backup when the newest is old enough, and removes those beyond what is kept.

    Args:
        database: the one that the bot works with.
        blobs: its pictures.
        folder: where backups go; what else lies there is never touched.
        interval: between two backups.
        max_backups: how many stay.
        clock: the time, UTC.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        folder: Path,
        interval: timedelta,
        max_backups: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._folder = folder
        self._interval = interval
        self._max_backups = max_backups
        self._clock = clock

    async def write_if_due(self) -> int:
        """Write a backup if it is time, and return how many old ones went.

        Raises:
            StorageError: it could not be written; none of the old ones went.
        """
        moment = self._clock()
        backups = list_backups(self._folder)
        # A newest one in the future was written by a clock that was wrong: it counts as well.
        if backups and abs(moment - backup_time(backups[-1])) < self._interval:
            return 0
        target = self._folder / moment.strftime(NAME_FORMAT)
        summary = await create_backup(self._database, self._blobs, target)
        log.info(
            "Backup written: %s (jobs: %d, pictures: %d).",
            *(target, summary.jobs, summary.images),
            extra={"action": "backup", "missing": len(summary.missing)},
        )
        if summary.missing:
            log.warning("Pictures that jobs name are gone: %d.", len(summary.missing))
        return await asyncio.to_thread(self._remove_old)

    def _remove_old(self) -> int:
        old_backups = list_backups(self._folder)[: -self._max_backups]
        leftovers = [
            path for path in self._folder.iterdir() if PARTIAL_PATTERN.fullmatch(path.name)
        ]
        for path in (*old_backups, *leftovers):
            shutil.rmtree(path)
        return len(old_backups)


def list_backups(folder: Path) -> list[Path]:
    """List the scheduled backups in a folder, oldest first; nothing where it is not there."""
    try:
        return sorted(path for path in folder.iterdir() if NAME_PATTERN.fullmatch(path.name))
    except OSError:
        return []


def backup_time(path: Path) -> datetime:
    """Read off a scheduled backup's name when it was written."""
    return datetime.strptime(path.name, NAME_FORMAT).replace(tzinfo=UTC)
