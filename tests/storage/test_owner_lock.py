from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from storage.disk.owner_lock import hold_folder_lock, hold_owner_lock
from storage.errors import DatabaseLocked

TRY = """
import sys
from pathlib import Path
from storage.errors import DatabaseLocked
from storage.disk.owner_lock import hold_owner_lock
try:
    with hold_owner_lock(Path(sys.argv[1])):
        print("free")
except DatabaseLocked as error:
    print(error.holder)
"""


def ask_from_another_process(database):
    answer = subprocess.run(
        [sys.executable, "-c", TRY, str(database)], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def test_another_process_is_told_who_holds_the_lock(tmp_path):
    database = tmp_path / "easel.db"

    with hold_owner_lock(database):
        assert str(os.getpid()) == ask_from_another_process(database)
    assert ask_from_another_process(database) == "free"


@pytest.mark.parametrize("pattern", ["*.lock", "*.pid", "*"])
def test_deleting_files_lets_nobody_else_in(tmp_path, pattern):
    database = tmp_path / "easel.db"
    database.touch()

    with hold_owner_lock(database):
        for path in tmp_path.glob(pattern):
            path.unlink()
        assert ask_from_another_process(database) != "free"
    assert ask_from_another_process(database) == "free"


def test_where_folders_cannot_be_locked_the_file_is(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOTSUP, "no such locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    database = tmp_path / "easel.db"
    with hold_folder_lock(tmp_path):
        pass
    monkeypatch.undo()

    with hold_owner_lock(database):
        assert ask_from_another_process(database) == str(os.getpid())


def test_an_error_of_the_owners_own_passes(tmp_path):
    with pytest.raises(BlockingIOError), hold_owner_lock(tmp_path / "easel.db"):
        raise BlockingIOError


def test_a_second_owner_in_one_process_is_refused_and_spoils_nothing(tmp_path):
    database = tmp_path / "easel.db"

    with hold_owner_lock(database):
        for _ in range(2):
            with pytest.raises(DatabaseLocked), hold_owner_lock(database):
                pass
    with hold_owner_lock(database):
        pass


def test_a_child_process_inherits_no_ownership(tmp_path):
    database = tmp_path / "easel.db"
    with hold_owner_lock(database):
        child = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout.readline() == b"up\n"

    with child, hold_owner_lock(database):
        child.communicate(b"\n")
