from __future__ import annotations

from bot.app import BLOBS_FOLDER, DATABASE_FILE
from storage.blobs import BlobStore
from storage.database import Database


async def test_all_that_is_kept_is_copied(call, finished_job, settings, tmp_path):
    target = tmp_path / "copy"

    async with Database(settings.data_dir / DATABASE_FILE):  # as by a running bot
        code, (line,) = await call("backup", str(target))

    assert code == 0
    assert line == f"{target}: jobs: 1, pictures: 1, all checked."
    assert len(await BlobStore(target / BLOBS_FOLDER).list_keys()) == 1


async def test_missing_pictures_are_named(call, finished_job, settings, tmp_path):
    blobs = BlobStore(settings.data_dir / BLOBS_FOLDER)
    await blobs.delete_blob(min(await blobs.list_keys()))

    code, _ = await call("backup", str(tmp_path / "copy"))
    assert code == 1

    code, lines = await call("doctor")
    assert "FIX Pictures: 0 stored, 1 missing" in lines


async def test_nothing_is_not_backed_up(call, tmp_path):
    code, _ = await call("backup", str(tmp_path / "copy"))

    assert code == 2
    assert not (tmp_path / "copy").exists()


async def test_a_damaged_database_is_not_passed_off_as_a_backup(call, settings, tmp_path):
    settings.data_dir.mkdir()
    (settings.data_dir / DATABASE_FILE).write_bytes(b"no database" * 100)

    code, _ = await call("backup", str(tmp_path / "copy"))

    assert code == 1
    assert not (tmp_path / "copy").exists()
