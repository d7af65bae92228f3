from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from storage.database import Database
from storage.errors import DatabaseFailed, MigrationError
from storage.migrations import Migration, apply_migrations, shipped_migrations


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()

    def write(**texts):
        for name, text in texts.items():
            (folder / f"{name.strip('_')}.sql").write_text(text)
        return folder

    return write


def shipped_texts():
    return {f"_{each.number:04d}_{each.name}": each.sql for each in shipped_migrations()}


async def test_a_new_database_gets_every_migration_once(database):
    rows = await database.fetch_all("SELECT number, name FROM migration ORDER BY number")

    assert [(each.number, each.name) for each in shipped_migrations()] == [
        tuple(row) for row in rows
    ]
    assert await apply_migrations(database) == []


async def test_a_database_is_opened_again_with_what_it_held(folder):
    async with Database(folder / "easel.db") as database:
        await database.execute("INSERT INTO member (owner) VALUES ('ada')")
    async with Database(folder / "easel.db") as database:
        assert await database.fetch_value("SELECT owner FROM member") == "ada"


async def test_a_later_migration_is_applied_to_an_old_database(database, files):
    last = shipped_migrations()[-1].number
    folder = files(
        **shipped_texts(), **{f"_{last + 1:04d}_more": "CREATE TABLE more (a);\nDROP TABLE more;"}
    )

    (applied,) = await apply_migrations(database, folder)

    assert (last + 1, "more") == (applied.number, applied.name)


async def test_a_migration_that_fails_leaves_nothing_of_itself(database, files):
    last = shipped_migrations()[-1].number
    folder = files(
        **shipped_texts(), **{f"_{last + 1:04d}_bad": "CREATE TABLE half (a);\nCREATE NONSENSE;"}
    )

    with pytest.raises(DatabaseFailed):
        await apply_migrations(database, folder)

    assert await database.fetch_value("SELECT max(number) FROM migration") == last
    assert await database.fetch_value("SELECT count(*) FROM sqlite_schema WHERE name = 'half'") == 0


async def test_a_database_of_a_newer_version_is_refused(folder):
    async with Database(folder / "easel.db") as database:
        await database.execute("INSERT INTO migration VALUES (99, 'future', 0)")

    with pytest.raises(MigrationError, match="newer version of Easel"):
        async with Database(folder / "easel.db"):
            pass


async def test_the_database_of_another_program_is_refused_and_left_alone(folder):
    path = folder / "other.db"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE theirs (a)")

    with pytest.raises(MigrationError, match="belongs to another program"):
        async with Database(path):
            pass

    with closing(sqlite3.connect(path)) as other:
        names = other.execute("SELECT name FROM sqlite_schema").fetchall()
    assert names == [("theirs",)]


def test_files_with_a_gap_in_their_numbers_are_refused(files):
    folder = files(_0001_one="SELECT 1;", _0003_three="SELECT 3;")

    with pytest.raises(MigrationError, match="without a gap"):
        shipped_migrations(folder)


def test_statements_are_split_where_they_end_and_triggers_stay_whole():
    trigger = "CREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n"
    migration = Migration(number=1, name="x", sql=f"CREATE TABLE a (b);\n{trigger}-- the end\n")

    assert list(migration.split_statements()) == ["CREATE TABLE a (b);\n", trigger]


async def test_every_table_is_strict(database):
    rows = await database.fetch_all(
        "SELECT name, strict FROM pragma_table_list WHERE schema='main'"
    )

    loose = {row["name"] for row in rows if not row["strict"]}
    assert loose == {"sqlite_schema", "sqlite_sequence"}


async def test_a_database_of_the_last_schema_before_the_release_is_opened_as_it_is(folder):
    async with Database(folder / "easel.db") as database:
        await database.execute("INSERT INTO member (owner) VALUES ('ada')")
        for number in range(1, shipped_migrations()[0].number):
            await database.execute("INSERT INTO migration VALUES (?, 'earlier', 0)", (number,))

    async with Database(folder / "easel.db") as database:
        assert await apply_migrations(database) == []
        assert await database.fetch_value("SELECT owner FROM member") == "ada"


async def test_a_database_of_an_earlier_schema_is_refused_and_left_alone(folder):
    path = folder / "easel.db"
    async with Database(path) as database:
        await database.execute("DELETE FROM migration")
        await database.execute("INSERT INTO migration VALUES (9, 'earlier', 0)")

    with pytest.raises(MigrationError, match="before the first release"):
        async with Database(path):
            pass

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT number FROM migration").fetchall() == [(9,)]
