from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from storage import database as database_module
from storage.database import Database
from storage.errors import (
    BackupExists,
    ConstraintBroken,
    DatabaseClosed,
    DatabaseCorrupt,
    DatabaseFailed,
    DatabaseLocked,
    DiskFull,
    DiskReadOnly,
    StorageError,
)

ADD = "INSERT INTO member (owner) VALUES (?)"
OPEN = """
import asyncio, sys
from storage.database import Database
from storage.errors import DatabaseLocked
async def main():
    try:
        async with Database(sys.argv[1]):
            print("opened")
    except DatabaseLocked as error:
        print(error)
asyncio.run(main())
"""


async def members(database):
    rows = await database.fetch_all("SELECT owner FROM member ORDER BY owner")
    return [row["owner"] for row in rows]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("mmap_size", 0),
        ("busy_timeout", 5000),
        ("journal_size_limit", 64 << 20),
    ],
)
async def test_the_connection_is_set_for_safety(database, pragma, value):
    assert await database.fetch_value(f"PRAGMA {pragma}") == value


async def test_a_second_process_refuses_to_start(database):
    answer = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", OPEN, str(database.path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "in use by process" in answer.stdout
    assert "Stop that one first" in answer.stdout


async def test_a_second_opener_in_one_process_is_refused_and_the_first_goes_on(database):
    with pytest.raises(DatabaseLocked):
        async with Database(database.path):
            pass

    await database.execute(ADD, ("ada",))
    assert await members(database) == ["ada"]


async def test_a_file_that_another_program_writes_is_refused_in_words(folder, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    path = folder / "easel.db"
    async with Database(path):
        pass
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseLocked, match="in use by another process"):
            async with Database(path):
                pass
        other.execute("ROLLBACK")

    async with Database(path) as database:
        assert await members(database) == []


async def test_a_reader_of_another_process_needs_no_ownership_and_changes_nothing(database):
    await database.execute(ADD, ("ada",))

    async with Database(database.path, read_only=True) as reader:
        assert await members(reader) == ["ada"]
        await reader.check_integrity()
        with pytest.raises(DiskReadOnly, match="read-only"):
            await reader.execute(ADD, ("bob",))

    assert await members(database) == ["ada"]


async def test_a_reader_makes_no_database(folder):
    with pytest.raises(DatabaseFailed):
        async with Database(folder / "none.db", read_only=True):
            pass

    assert list(folder.iterdir()) == []


async def test_a_file_that_is_no_database_is_refused_and_kept(folder):
    path = folder / "easel.db"
    path.write_bytes(b"This was never a database. " * 400)
    before = path.read_bytes()

    with pytest.raises(DatabaseCorrupt, match="left as it is") as caught:
        async with Database(path):
            pass

    assert path == caught.value.path
    assert path.read_bytes() == before


async def test_a_damaged_page_is_found_on_opening_and_the_file_is_kept(folder):
    path = folder / "easel.db"
    async with Database(path) as database:
        for number in range(500):
            await database.execute(ADD, (f"{number:050d}",))
    content = bytearray(path.read_bytes())
    content[-4096:] = b"\xff" * 4096
    path.write_bytes(content)

    with pytest.raises(DatabaseCorrupt):
        async with Database(path):
            pass
    assert path.read_bytes() == content

    with pytest.raises(DatabaseCorrupt):
        async with Database(path):
            pass


@pytest.mark.skipif(os.name != "posix", reason="there are no such rights")
async def test_the_file_and_its_folder_are_for_the_owner_alone(folder):
    path = folder / "data" / "easel.db"
    path.parent.mkdir()
    for name in ("easel.db", "easel.db-wal", "easel.db.lock"):
        (path.parent / name).touch()
        (path.parent / name).chmod(0o644)
    path.parent.chmod(0o755)

    async with Database(path) as database:
        await database.execute(ADD, ("ada",))
        await database.write_copy(folder / "copy" / "easel.db")

        assert rights_of(path.parent, folder / "copy" / "easel.db") == {
            "data": "700",
            "easel.db": "600",
            "easel.db-shm": "600",
            "easel.db-wal": "600",
            "easel.db.lock": "600",
            "easel.db.pid": "600",
        }


def rights_of(*paths):
    every = [each for path in paths for each in (path, *path.rglob("*"))]
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in every}


async def test_a_folder_that_everybody_writes_into_stays_everybodys(folder):
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)

    async with Database(shared / "easel.db"):
        assert shared.stat().st_mode & 0o7777 == 0o1777


async def test_a_read_only_disk_is_said_on_opening(folder, monkeypatch):
    def refuse(folder):
        raise OSError(errno.EROFS, "words of the system")

    monkeypatch.setattr(database_module, "make_private_folder", refuse)
    with pytest.raises(DiskReadOnly, match="make it writable"):
        async with Database(folder / "easel.db"):
            pass


async def test_a_folder_of_somebody_else_is_said_on_opening(folder, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "words of the system")

    monkeypatch.setattr(database_module, "make_private_folder", refuse)
    with pytest.raises(DatabaseFailed, match="may not write into the folder"):
        async with Database(folder / "easel.db"):
            pass


async def test_the_folder_is_made(folder):
    async with Database(folder / "a" / "b" / "easel.db") as database:
        assert database.path.is_file()


@pytest.mark.parametrize(("safe_from", "warnings"), [((99, 0, 0), 1), ((1, 0, 0), 0)])
async def test_an_sqlite_that_can_damage_the_log_is_warned_of_once(
    folder, caplog, monkeypatch, safe_from, warnings
):
    monkeypatch.setattr(database_module, "MIN_SAFE_SQLITE_VERSION", safe_from)
    caplog.set_level(logging.WARNING, "storage")

    async with Database(folder / "easel.db") as database:
        await database.execute(ADD, ("ada",))

    assert len(caplog.records) == warnings


async def test_a_transaction_is_kept_as_a_whole(database):
    async with database.transaction() as transaction:
        await transaction.execute(ADD, ("ada",))
        assert tuple(await transaction.fetch_one("SELECT owner FROM member")) == ("ada",)
        assert await transaction.fetch_one("SELECT owner FROM member WHERE owner = 'x'") is None
        await transaction.execute(ADD, ("bob",))

    assert await members(database) == ["ada", "bob"]


async def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(LookupError):
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))
            raise LookupError

    with pytest.raises(ConstraintBroken):
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))
            await transaction.execute(ADD, ("ada",))

    assert await members(database) == []


async def test_nobody_sees_another_tasks_half_transaction(database):
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def write():
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))
            begun.set()
            await may_end.wait()
            await transaction.execute(ADD, ("bob",))

    writing = asyncio.create_task(write())
    await begun.wait()
    reading = asyncio.create_task(members(database))
    adding = asyncio.create_task(database.execute(ADD, ("cyd",)))
    await asyncio.sleep(0.01)
    assert not reading.done()
    may_end.set()

    await asyncio.gather(writing, adding)
    assert await reading == ["ada", "bob"]
    assert await members(database) == ["ada", "bob", "cyd"]


async def test_a_task_cancelled_in_its_transaction_rolls_back(database):
    begun = asyncio.Event()

    async def write():
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))
            begun.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await members(database) == []
    await database.execute(ADD, ("bob",))


@pytest.mark.parametrize("yields", range(14))
async def test_cancelled_at_any_moment_all_or_nothing_is_kept_and_the_database_goes_on(
    database, yields
):
    async def write():
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))
            await transaction.execute(ADD, ("bob",))

    writing = asyncio.create_task(write())
    for _ in range(yields):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])

    assert await members(database) in ([], ["ada", "bob"])
    await database.execute(ADD, ("cyd",))
    assert "cyd" in await members(database)


async def test_a_commit_under_way_is_not_lost_and_is_waited_for(database):
    loop, committing, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(sql):
        if sql == "COMMIT":
            loop.call_soon_threadsafe(committing.set)
            may_end.wait()

    await database._connection.set_trace_callback(hold)

    async def write():
        async with database.transaction() as transaction:
            await transaction.execute(ADD, ("ada",))

    writing = asyncio.create_task(write())
    await committing.wait()
    for _ in range(3):
        writing.cancel()
        await asyncio.sleep(0)
    ended_early = writing.done()
    may_end.set()
    await asyncio.wait([writing])

    assert not ended_early
    assert writing.cancelled()
    assert await members(database) == ["ada"]


async def test_asking_the_database_inside_a_transaction_is_refused_not_waited_for(database):
    async with database.transaction():
        with pytest.raises(StorageError, match="ask the transaction"):
            await database.fetch_all("SELECT 1")
        with pytest.raises(StorageError, match="ask the transaction"):
            async with database.transaction():
                pass


async def test_a_closed_database_says_so(database):
    await database.__aexit__(None, None, None)

    with pytest.raises(DatabaseClosed, match="inside `async with"):
        await database.fetch_all("SELECT 1")
    await database.__aexit__(None, None, None)


async def test_a_value_that_is_not_there_is_none(database):
    assert await database.fetch_value("SELECT owner FROM member") is None


async def test_a_full_disk_is_said_to_be_full_and_what_was_stored_stays(database):
    await database.execute(ADD, ("ada",))
    pages = await database.fetch_value("PRAGMA page_count")
    await database.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(DiskFull):
        async with database.transaction() as transaction:
            for number in range(500):
                await transaction.execute(ADD, (f"{number:0500d}",))

    assert await members(database) == ["ada"]
    await database.check_integrity()


async def test_a_backup_taken_while_running_is_whole(database, folder):
    await database.execute(ADD, ("ada",))
    target = folder / "backups" / "one.db"

    await database.write_copy(target)

    await database.execute(ADD, ("bob",))
    async with Database(target) as copy:
        assert await members(copy) == ["ada"]
    assert [
        path.name for path in target.parent.glob("*.db*") if path.suffix not in (".lock", ".pid")
    ] == [target.name]


async def test_a_backup_may_be_taken_by_another_process(database, folder):
    await database.execute(ADD, ("ada",))

    async with Database(database.path, read_only=True) as reader:
        await reader.write_copy(folder / "copy" / "easel.db")

    async with Database(folder / "copy" / "easel.db") as copy:
        assert await members(copy) == ["ada"]


async def test_a_backup_overwrites_nothing_but_its_own_remains(database, folder):
    target = folder / "copy.db"
    target.with_name("copy.db.partial").write_bytes(b"of a crash")
    await database.write_copy(target)
    before = target.read_bytes()

    with pytest.raises(BackupExists, match=r"would overwrite .*copy\.db"):
        await database.write_copy(target)

    assert target.read_bytes() == before
