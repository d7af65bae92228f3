"""`backup`: a copy of everything that is kept, whether the bot runs or not."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.app import BLOBS_FOLDER, DATABASE_FILE
from bot.settings import Settings
from storage.backup import create_backup
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import StorageError

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED = 0, 1, 2


async def write_backup(settings: Settings, target: Path) -> int:
    """Write the backup; return 0 when it is whole, 1 when pictures or all of it are missing."""
    path = settings.data_dir / DATABASE_FILE
    if not path.exists():
        sys.stderr.write(f"There is nothing to back up: {path} is not there.\n")
        return EXIT_REFUSED
    try:
        async with Database(path, read_only=True) as database:
            backup_summary = await create_backup(
                database, BlobStore(settings.data_dir / BLOBS_FOLDER), target
            )
    except (StorageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    sys.stdout.write(
        f"{target}: jobs: {backup_summary.jobs}, pictures: {backup_summary.images}, all checked.\n"
    )
    for key in backup_summary.missing:
        sys.stderr.write(f"The picture {key} is gone or damaged.\n")
    return EXIT_FAILED if backup_summary.missing else EXIT_DONE
