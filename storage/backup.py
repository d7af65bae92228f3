"""A copy of everything that is kept, taken while another process works on it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from storage.blobs import BlobStore
from storage.database import Database
from storage.disk.permissions import make_private_folder
from storage.error_translation import translate_disk_errors
from storage.errors import BackupExists, BlobMissing
from storage.jobs import JobStore


@dataclass(frozen=True, kw_only=True)
class BackupSummary:
    """What a backup holds."""

    #: Jobs in it.
    jobs: int
    #: Pictures in it, each checked against its key.
    images: int
    #: Keys of pictures that jobs name and that are gone or damaged where they were kept.
    missing: tuple[str, ...]


async def create_backup(database: Database, blobs: BlobStore, target: Path) -> BackupSummary:
    """Write database and pictures to the folder `target`, laid out as they lie where they are.

    The folder appears when all is in it and on the disk. A picture is linked where the file
    system can, since blobs never change, and else copied.

    Raises:
        BackupExists: there is something of that name.
        DatabaseCorrupt: the copy of the database is damaged.
        DiskFull: there is no room; nothing of the backup is left behind.
    """
    partial = target.with_name(target.name + ".partial")
    with translate_disk_errors():
        await asyncio.to_thread(_prepare_folder, partial, target)
        try:
            copy = partial / database.path.name
            await database.write_copy(copy)
            async with Database(copy, read_only=True) as snapshot:
                jobs = JobStore(snapshot)
                keys = await jobs.retention.referenced_blobs()
                count = sum((await jobs.reader.count_by_state()).values())
            target_blobs = BlobStore(partial / blobs.root.name)
            missing = await asyncio.to_thread(_copy_blobs, keys, blobs, target_blobs)
            await asyncio.to_thread(_publish_folder, partial, target)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
            raise
    return BackupSummary(jobs=count, images=len(keys) - len(missing), missing=missing)


def _prepare_folder(partial: Path, target: Path) -> None:
    """Make room; what an earlier try left goes."""
    if target.exists():
        raise BackupExists(target)
    if partial.exists():
        shutil.rmtree(partial)
    make_private_folder(partial)


def _copy_blobs(keys: Collection[str], source: BlobStore, target: BlobStore) -> tuple[str, ...]:
    """Take the pictures over and return the keys of those that could not be."""
    return tuple(key for key in sorted(keys) if not _copy_blob(key, source, target))


def _copy_blob(key: str, source: BlobStore, target: BlobStore) -> bool:
    try:
        content = source.get_sync(key)
    except BlobMissing:
        return False
    place = target.path_of(key)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.path_of(key), place)
    except FileNotFoundError:
        return False
    except OSError:  # another file system, or one without links
        with place.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return True


def _publish_folder(partial: Path, target: Path) -> None:
    """Give the folder its name once all that is in it will last."""
    for leftover in partial.glob("*-wal"), partial.glob("*-shm"):
        for path in leftover:
            path.unlink()
    with (partial / "README.txt").open("w", encoding="utf-8") as file:
        file.write("A backup of Easel. To use it, point EASEL_DATA_DIR at a copy of this folder.\n")
        os.fsync(file.fileno())
    if os.name == "posix":
        for folder in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    partial.rename(target)
