"""The one SQLite file, behind one connection, owned by one process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiosqlite

from storage.cancellation import finish_even_if_cancelled
from storage.disk.owner_lock import hold_owner_lock
from storage.disk.permissions import make_private_folder, restrict_to_owner
from storage.error_translation import (
    to_storage_error,
    translate_disk_errors,
    translate_sqlite_errors,
)
from storage.errors import (
    BackupExists,
    DatabaseClosed,
    DatabaseCorrupt,
    DatabaseFailed,
    StorageError,
)
from storage.migrations import apply_migrations

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_SECONDS = 5.0  # seconds that a statement waits for a reader in another process
MAX_WAL_BYTES = 64 << 20  # bytes that the log may keep after a checkpoint
#: 16 MiB of log between checkpoints, each of which one unlucky commit waits for.
WAL_CHECKPOINT_PAGES = 4_000
CACHE_KIBIBYTES = 32_768  # holds the indexes of some hundred thousand jobs
#: The first release whose log cannot be reset under a second connection.
MIN_SAFE_SQLITE_VERSION = (3, 51, 3)

Parameters = Mapping[str, object] | Sequence[object]


class SqlExecutor(Protocol):
    """What a database and an open transaction both answer."""

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run a statement and return all of its rows."""
        ...

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """Run a statement and return its first row, or None."""
        ...

    async def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement for what it does."""
        ...


class Transaction:
    """An open transaction: the same questions, asked inside it."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run a statement to its end and return all of its rows.

        Cancelled meanwhile, it still runs to its end before that is passed on: the connection's
        thread does not stop for a task, and what we believe of a transaction must be true.
        """
        try:
            return await self._fetch_rows(sql, parameters)
        except sqlite3.Error as error:
            raise to_storage_error(error, self._path) from error
        except asyncio.CancelledError:
            await finish_even_if_cancelled(
                self._fetch_rows("SELECT 1")
            )  # the thread works in order: all before has ended
            raise

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """Run a statement and return its first row, or None."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None

    async def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement for what it does."""
        await self.fetch_all(sql, parameters)

    async def fetch_each(
        self, sql: str, parameter_sets: Sequence[Parameters]
    ) -> list[list[sqlite3.Row]]:
        """Run a statement for each set of parameters, in order; return each one's rows.

        All are given to the connection's thread together: it waits for nobody in between.
        """
        try:
            return await asyncio.gather(
                *(self._fetch_rows(sql, parameters) for parameters in parameter_sets)
            )
        except sqlite3.Error as error:
            raise to_storage_error(error, self._path) from error
        except asyncio.CancelledError:
            await finish_even_if_cancelled(self._fetch_rows("SELECT 1"))
            raise

    async def _fetch_rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        # One call does all: every further call to the connection's thread costs a switch.
        return list(await self._connection.execute_fetchall(sql, parameters))


class Database:
    """The database, open within its `async with`.

    A commit has reached the disk when it returns (`synchronous=FULL`). All statements, reading
    ones too, take turns: they share one connection, and none may see another's half transaction.
    `read_only` looks at a file that another process owns, for a check or a backup: it takes no
    ownership, migrates nothing and can change nothing.

    Raises:
        DatabaseLocked: another process owns the file.
        DatabaseCorrupt: the file is damaged; it is left as it is.
        DiskReadOnly: the disk takes no writing.
        MigrationError: the file belongs to another program or a newer version.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._connection: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None
        self._on_exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if not self.read_only:
                self._take_ownership(stack)
            with translate_sqlite_errors(self.path):
                self._connection = await self._connect()
                if not self.read_only:  # a log that is made later gets the file's own rights
                    for path in self.path.parent.glob(f"{self.path.name}*"):
                        restrict_to_owner(path)
            stack.push_async_callback(self._disconnect)
            await self._prepare_connection()
            self._on_exit = stack.pop_all()
        return self

    def _take_ownership(self, stack: AsyncExitStack) -> None:
        folder = self.path.parent
        try:
            with translate_disk_errors():
                make_private_folder(folder)
                stack.enter_context(hold_owner_lock(self.path))
        except PermissionError as error:
            raise DatabaseFailed(
                f"This user may not write into the folder {folder}: change its owner, or choose "
                "another folder."
            ) from error

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        async with self._turn:
            await self._on_exit.aclose()

    async def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run a statement of its own and return all of its rows."""
        async with self._exclusive_access() as plain:
            return await plain.fetch_all(sql, parameters)

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """Run a statement of its own and return its first row, or None."""
        async with self._exclusive_access() as plain:
            return await plain.fetch_one(sql, parameters)

    async def fetch_value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Run a statement of its own and return the first column of its first row, or None."""
        row = await self.fetch_one(sql, parameters)
        return None if row is None else row[0]

    async def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement of its own for what it does."""
        async with self._exclusive_access() as plain:
            await plain.execute(sql, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a write transaction: commit at the end, roll back on any error.

        It is `BEGIN IMMEDIATE`, since a reading transaction that starts to write can fail without
        waiting. Cancelled in the middle, it rolls back; cancelled in its commit, it commits.
        """
        async with self._exclusive_access() as transaction:
            try:
                await transaction.execute("BEGIN IMMEDIATE")
                yield transaction
                await transaction.execute("COMMIT")
            except BaseException:
                if self._open_connection().in_transaction:
                    await transaction.execute("ROLLBACK")
                raise

    async def write_copy(self, target: Path) -> None:
        """Write a whole, compact copy of the database to `target`; queries wait meanwhile.

        Raises:
            BackupExists: there is a file of that name.
        """
        partial = target.with_name(target.name + ".partial")
        with translate_disk_errors():
            await asyncio.to_thread(_make_room, target, partial)
            await self.execute("VACUUM INTO ?", (str(partial),))
            restrict_to_owner(partial)
            await asyncio.to_thread(partial.replace, target)

    async def truncate_log(self) -> bool:
        """Write the log's pages into the file and empty it; False while a reader needs it still.

        What was deleted stands in the log until then. Nothing waits for a reader.
        """
        async with self._exclusive_access() as plain:
            await plain.execute("PRAGMA busy_timeout = 0")
            try:
                row = await plain.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await plain.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_TIMEOUT_SECONDS)}")
        return row is not None and not row["busy"]

    async def check_integrity(self) -> None:
        """Read every page.

        Raises:
            DatabaseCorrupt: a page is damaged.
        """
        finding = await self.fetch_value("PRAGMA quick_check(1)")
        if finding != "ok":
            raise DatabaseCorrupt(self.path, str(finding))

    @asynccontextmanager
    async def _exclusive_access(self) -> AsyncIterator[Transaction]:
        task = asyncio.current_task()
        if self._holder is task:
            raise StorageError("Inside a transaction, ask the transaction, not the database.")
        async with self._turn:
            self._holder = task
            try:
                yield Transaction(self._open_connection(), self.path)
            finally:
                self._holder = None

    def _open_connection(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise DatabaseClosed
        return self._connection

    async def _connect(self) -> aiosqlite.Connection:
        mode = "ro" if self.read_only else "rwc"
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        # A file that cannot be opened is found out here: aiosqlite would leave its thread behind.
        await asyncio.to_thread(lambda: sqlite3.connect(address, uri=True).close())
        connection = await aiosqlite.connect(
            address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS
        )
        connection.row_factory = sqlite3.Row
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._open_connection(), None
        await finish_even_if_cancelled(connection.close())

    async def _prepare_connection(self) -> None:
        if sqlite3.sqlite_version_info < MIN_SAFE_SQLITE_VERSION:
            logger.warning(
                "SQLite %s can damage a database that a second connection writes; Easel keeps to "
                "one. Back up with Easel's own backup, never with a tool that opens the file.",
                sqlite3.sqlite_version,
                extra={"action": "open", "sqlite": sqlite3.sqlite_version},
            )
        await self.execute("PRAGMA foreign_keys = ON")
        await self.execute("PRAGMA mmap_size = 0")
        await self.check_integrity()
        if not self.read_only:
            await self.execute("PRAGMA journal_mode = WAL")
            await self.execute("PRAGMA synchronous = FULL")
            await self.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
            await self.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
            await self.execute(f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}")
            await self.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            await apply_migrations(self)


def _make_room(target: Path, partial: Path) -> None:
    if target.exists():
        raise BackupExists(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
