"""`backup`: a copy of everything that is kept, whether the bot runs or not."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.house import BLOBS, DATABASE
from bot.settings import Settings
from storage.backup import back_up
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import StorageError

DONE, FAILED, REFUSED = 0, 1, 2


async def copy_to(settings: Settings, target: Path) -> int:
    """Write the backup; return 0 when it is whole, 1 when pictures or all of it are missing."""
    path = settings.data_dir / DATABASE
    if not path.exists():
        sys.stderr.write(f"There is nothing to back up: {path} is not there.\n")
        return REFUSED
    try:
        async with Database(path, read_only=True) as database:
            made = await back_up(database, BlobStore(settings.data_dir / BLOBS), target)
    except (StorageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write(f"{target}: jobs: {made.jobs}, pictures: {made.pictures}, all checked.\n")
    for key in made.missing:
        sys.stderr.write(f"The picture {key} is gone or damaged.\n")
    return FAILED if made.missing else DONE
