from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from storage import backup
from storage.backup import BackupSummary, create_backup
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import BackupExists, DiskFull
from storage.jobs import JobStore
from tests.storage.factories import ROOMY, make_job


@pytest.fixture
def blobs(folder) -> BlobStore:
    return BlobStore(folder / "data" / "blobs")


@pytest.fixture
async def database(folder):
    async with Database(folder / "data" / "easel.db") as opened:
        yield opened


@pytest.fixture
async def keys(jobs, blobs) -> list[str]:
    """Three jobs' pictures, and one of no job."""
    stored = [await blobs.put(bytes([number]) * 100) for number in range(3)]
    for key in stored:
        await jobs.queue.enqueue(make_job(inputs={"image": key}), ROOMY)
    await blobs.put(b"nobody's")
    return stored


async def test_a_backup_is_a_data_directory(database, blobs, keys, folder):
    target = folder / "backups" / "monday"

    made = await create_backup(database, blobs, target)

    assert made == BackupSummary(jobs=3, images=3, missing=())
    copied = BlobStore(target / "blobs")
    assert set(keys) == await copied.list_keys()
    for key in keys:
        assert await blobs.get(key) == await copied.get(key)
    async with Database(target / "easel.db") as opened:
        assert len(await JobStore(opened).reader.list_outstanding()) == 3


WRITER = """
import asyncio, sys
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import ROOMY, make_job
async def main():
    async with Database(sys.argv[1]) as database:
        for number in range(10**6):
            job, _ = await JobStore(database).queue.enqueue(make_job(inputs={}), ROOMY)
            print(job.id, flush=True)
asyncio.run(main())
"""


@pytest.fixture
def writing(folder):
    """Give a database that another process goes on writing to, and what it has said so far."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder / "easel.db")], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, [process.stdout.readline().strip() for _ in range(50)]
        process.kill()


async def test_a_backup_is_taken_while_another_process_writes(folder, writing):
    process, known = writing
    async with Database(folder / "easel.db", read_only=True) as database:
        made = await create_backup(database, BlobStore(folder / "blobs"), folder / "copy")
    assert process.poll() is None

    async with Database(folder / "copy" / "easel.db") as copied:
        held = {job.id for job in await JobStore(copied).reader.list_outstanding()}
    assert set(known) <= held
    assert len(held) == made.jobs


async def test_where_links_cannot_be_made_pictures_are_copied(
    database, blobs, keys, folder, monkeypatch
):
    def refuse(*paths):
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)

    made = await create_backup(database, blobs, folder / "copy")

    assert made.images == 3
    copied = BlobStore(folder / "copy" / "blobs")
    assert await blobs.get(keys[0]) == await copied.get(keys[0])
    assert not copied.path_of(keys[0]).samefile(blobs.path_of(keys[0]))


async def test_what_is_gone_or_damaged_is_named(database, blobs, keys, folder):
    blobs.path_of(keys[0]).unlink()
    blobs.path_of(keys[1]).write_bytes(b"not what it was")

    made = await create_backup(database, blobs, folder / "copy")

    assert tuple(sorted(keys[:2])) == made.missing
    assert made.images == 1
    assert await BlobStore(folder / "copy" / "blobs").list_keys() == {keys[2]}


async def test_a_backup_overwrites_nothing(database, blobs, folder):
    (folder / "copy").mkdir()

    with pytest.raises(BackupExists, match="would overwrite"):
        await create_backup(database, blobs, folder / "copy")


async def test_a_backup_that_fails_leaves_nothing(database, blobs, keys, folder, monkeypatch):
    def full(*anything):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_copy_blob", full)
        with pytest.raises(DiskFull):
            await create_backup(database, blobs, folder / "copy")
    assert [path.name for path in folder.iterdir()] == ["data"]

    (folder / "copy.partial" / "remains").mkdir(parents=True)
    await create_backup(database, blobs, folder / "copy")
    assert {path.name for path in folder.iterdir()} == {"data", "copy"}
    assert "remains" not in {path.name for path in (folder / "copy").iterdir()}
