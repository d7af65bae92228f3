"""Numbered schema changes, each applied once, with its record, in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storage.clock import SystemClock, to_microseconds
from storage.errors import MigrationError

if TYPE_CHECKING:
    from storage.database import Database

logger = logging.getLogger(__name__)

MIGRATIONS_FOLDER = Path(__file__).with_name("migrations")
APPLICATION_ID = 0x4541534C  # "EASL" in the file's header, by which the `file` command knows it

CREATE_MIGRATION_TABLE = """
    CREATE TABLE IF NOT EXISTS migration (
      number     INTEGER PRIMARY KEY,
      name       TEXT NOT NULL,
      applied_at INTEGER NOT NULL
    ) STRICT
"""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file of SQL."""

    #: Counts up without gaps.
    number: int
    #: The words of the file's name.
    name: str
    #: The file's text.
    sql: str

    @classmethod
    def from_file(cls, path: Path) -> Migration:
        """Return the migration in the file `NNNN_name.sql`."""
        number, _, name = path.stem.partition("_")
        return cls(number=int(number), name=name, sql=path.read_text(encoding="utf-8"))

    def split_statements(self) -> Iterator[str]:
        """Yield the statements one by one; a trigger's body stays whole."""
        pending = ""
        for line in self.sql.splitlines(keepends=True):
            pending += line
            if sqlite3.complete_statement(pending):
                yield pending
                pending = ""


def shipped_migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """Return the migrations of this version in order.

    Raises:
        MigrationError: the files' numbers have a gap or a double.
    """
    migrations = [Migration.from_file(path) for path in sorted(folder.glob("*.sql"))]
    numbers = [migration.number for migration in migrations]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise MigrationError("The migration files are not numbered one by one without a gap.")
    return migrations


async def apply_migrations(database: Database, folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """Bring the schema up to this version and return what was applied.

    Raises:
        MigrationError: the file belongs to another program, to a newer version, or to one from
            before the first release.
    """
    await _claim_file(database)
    waiting = await list_waiting_migrations(database, folder)
    for migration in waiting:
        await _apply_migration(database, migration)
    return waiting


async def list_waiting_migrations(
    database: Database, folder: Path = MIGRATIONS_FOLDER
) -> list[Migration]:
    """List what opening a database of ours would apply; it is not changed.

    Raises:
        MigrationError: it belongs to a newer version, or to one from before the first release.
    """
    known_migrations = shipped_migrations(folder)
    schema = int(await database.fetch_value("SELECT coalesce(max(number), 0) FROM migration"))
    if schema > known_migrations[-1].number:
        raise MigrationError(
            f"The database {database.path} was written by a newer version of Easel (schema "
            f"{schema}; this version knows {known_migrations[-1].number}). Update Easel, or use a "
            "backup "
            "from before the update."
        )
    if 0 < schema < known_migrations[0].number:
        raise MigrationError(
            f"The database {database.path} was written by a version from before the first release "
            f"(schema {schema}; this version knows {known_migrations[0].number} and later). "
            "Choose another "
            "file, or open it once with the version that wrote it and export what you need."
        )
    return [migration for migration in known_migrations if migration.number > schema]


async def _claim_file(database: Database) -> None:
    owner = await database.fetch_value("PRAGMA application_id")
    tables = await database.fetch_value("SELECT count(*) FROM sqlite_schema")
    if owner != APPLICATION_ID and tables:
        raise MigrationError(
            f"The database {database.path} belongs to another program. Choose another file."
        )
    async with database.transaction() as transaction:
        await transaction.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await transaction.execute(CREATE_MIGRATION_TABLE)


async def _apply_migration(database: Database, migration: Migration) -> None:
    applied_at = to_microseconds(SystemClock().now())
    async with database.transaction() as transaction:
        for statement in migration.split_statements():
            await transaction.execute(statement)
        await transaction.execute(
            "INSERT INTO migration VALUES (?, ?, ?)", (migration.number, migration.name, applied_at)
        )
    logger.info(
        "Applied migration %04d, %s.",
        migration.number,
        migration.name,
        extra={"action": "migrate", "number": migration.number},
    )
