from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from storage import error_translation
from storage.error_translation import translate_disk_errors, translate_sqlite_errors
from storage.errors import (
    ConstraintBroken,
    DatabaseCorrupt,
    DatabaseFailed,
    DatabaseLocked,
    DiskFull,
    DiskReadOnly,
)

PATH = Path("easel.db")


def sqlite_error(code):
    error = sqlite3.OperationalError("words of SQLite")
    if code is not None:
        error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, DatabaseLocked),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, DatabaseLocked),
        (sqlite3.SQLITE_LOCKED, DatabaseLocked),
        (sqlite3.SQLITE_CORRUPT, DatabaseCorrupt),
        (sqlite3.SQLITE_CORRUPT_INDEX, DatabaseCorrupt),
        (sqlite3.SQLITE_NOTADB, DatabaseCorrupt),
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, ConstraintBroken),
        (sqlite3.SQLITE_IOERR, DatabaseFailed),
        (sqlite3.SQLITE_READONLY, DiskReadOnly),
        (sqlite3.SQLITE_READONLY_DBMOVED, DiskReadOnly),
        (sqlite3.SQLITE_CANTOPEN, DatabaseFailed),
        (None, DatabaseFailed),
    ],
)
def test_each_failure_of_sqlite_has_its_error(code, expected):
    with pytest.raises(expected) as caught, translate_sqlite_errors(PATH):
        raise sqlite_error(code)

    assert expected is type(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


def test_no_error_of_sqlite_passes_the_border():
    kinds = [
        each
        for each in vars(sqlite3).values()
        if isinstance(each, type) and issubclass(each, sqlite3.Error)
    ]
    for kind in kinds:
        with pytest.raises(DatabaseFailed), translate_sqlite_errors(PATH):
            raise kind("words of SQLite")
    assert len(kinds) >= 9


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_full(code):
    with pytest.raises(DiskFull), translate_disk_errors():
        raise OSError(code, "words of the system")


def test_a_read_only_disk_is_said_to_be_read_only():
    with pytest.raises(DiskReadOnly, match="read-only"), translate_disk_errors():
        raise OSError(errno.EROFS, "words of the system")


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_CANTOPEN]
)
def test_a_disk_that_became_read_only_is_told_from_a_broken_one(monkeypatch, code):
    for is_read_only, expected in ((True, DiskReadOnly), (False, DatabaseFailed)):
        monkeypatch.setattr(
            error_translation, "lies_on_read_only_disk", lambda path, answer=is_read_only: answer
        )
        with pytest.raises(expected), translate_sqlite_errors(PATH):
            raise sqlite_error(code)


def test_a_disk_that_is_written_to_is_not_read_only(tmp_path):
    assert not error_translation.lies_on_read_only_disk(tmp_path / "not" / "there")


def test_other_errors_of_the_system_pass():
    with pytest.raises(PermissionError), translate_disk_errors():
        raise PermissionError(errno.EACCES, "words of the system")
