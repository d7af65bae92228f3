from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot import app
from bot.hosting.backups import BackupSchedule, backup_time, list_backups
from bot.settings import Settings
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import StorageError
from storage.jobs import JobStore
from tests.storage.factories import ROOMY, make_job

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


@pytest.fixture
async def schedule(tmp_path, folder, clock):
    async with Database(tmp_path / "data" / "easel.sqlite3") as database:
        blobs = BlobStore(tmp_path / "data" / "blobs")
        key = await blobs.put(b"a picture")
        await JobStore(database).queue.enqueue(make_job(inputs={"image": key}), ROOMY)
        yield BackupSchedule(database, blobs, folder, timedelta(hours=6), 2, clock)


async def test_a_backup_is_written_when_the_newest_is_old_enough(schedule, folder, clock):
    assert await schedule.write_if_due() == 0
    clock.moment += timedelta(hours=5)
    await schedule.write_if_due()
    assert [backup_time(path) for path in list_backups(folder)] == [START]

    clock.moment += timedelta(hours=1)
    await schedule.write_if_due()

    assert [backup_time(path) for path in list_backups(folder)] == [START, clock.moment]


async def test_a_backup_can_be_opened_and_holds_the_pictures(schedule, folder):
    await schedule.write_if_due()

    (backup,) = list_backups(folder)
    async with Database(backup / "easel.sqlite3", read_only=True) as copy:
        keys = await JobStore(copy).retention.referenced_blobs()
    assert keys == await BlobStore(backup / "blobs").list_keys()
    assert len(keys) == 1


async def test_the_newest_are_kept_and_what_is_not_ours_stays(schedule, folder, clock):
    others = {"easel-of-last-year", "easel-20250101T000000Z.txt"}
    for name in (*others, "easel-20250101T000000Z.partial"):
        (folder / name).mkdir(parents=True)

    removed = 0
    for _ in range(5):
        removed += await schedule.write_if_due()
        clock.moment += timedelta(hours=6)

    assert removed == 3
    kept = list_backups(folder)
    assert [backup_time(path) for path in kept] == [
        clock.moment - timedelta(hours=hours) for hours in (12, 6)
    ]
    assert {path.name for path in folder.iterdir()} == others | {path.name for path in kept}


async def test_a_backup_that_fails_costs_no_older_one(schedule, folder, clock, monkeypatch):
    for _ in range(2):
        await schedule.write_if_due()
        clock.moment += timedelta(hours=6)
    before = list_backups(folder)

    async def fail(*arguments):
        raise StorageError("no room")

    monkeypatch.setattr("bot.hosting.backups.create_backup", fail)
    with pytest.raises(StorageError):
        await schedule.write_if_due()

    assert list_backups(folder) == before


async def test_a_clock_that_was_set_back_starves_no_backup(schedule, folder, clock):
    await schedule.write_if_due()
    clock.moment -= timedelta(days=30)

    await schedule.write_if_due()

    assert len(list_backups(folder)) == 2


@pytest.mark.parametrize(("hours", "is_bots", "is_written"), [(6, 1, 1), (0, 1, 0), (6, 0, 0)])
async def test_the_running_bot_has_it_among_its_chores(
    tmp_path, monkeypatch, hours, is_bots, is_written
):
    chores = []
    loop = app.MaintenanceLoop

    def keep_chores(tasks):
        chores.extend(tasks)
        return loop(tasks)

    monkeypatch.setattr(app, "MaintenanceLoop", keep_chores)
    settings = Settings(_env_file=None, data_dir=tmp_path / "data", workers=0, backup_hours=hours)

    async with app.open_core(settings, None if is_bots else tmp_path / "data" / "command-line"):
        for chore in chores:
            if chore.name == "backup":
                await chore.work()

    assert len(list_backups(settings.backups_path)) == is_written
