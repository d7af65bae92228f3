from __future__ import annotations

import os
import subprocess
import sys

import pytest

from storage.errors import DatabaseLocked
from storage.owner_lock import OwnerLock

TRY = """
import sys
from pathlib import Path
from storage.errors import DatabaseLocked
from storage.owner_lock import OwnerLock
try:
    with OwnerLock(Path(sys.argv[1])):
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

    with OwnerLock(database):
        assert str(os.getpid()) == ask_from_another_process(database)
    assert "free" == ask_from_another_process(database)


def test_a_second_owner_in_one_process_is_refused_and_spoils_nothing(tmp_path):
    database = tmp_path / "easel.db"

    with OwnerLock(database):
        for _ in range(2):
            with pytest.raises(DatabaseLocked), OwnerLock(database):
                pass
    with OwnerLock(database):
        pass


def test_a_child_process_inherits_no_ownership(tmp_path):
    database = tmp_path / "easel.db"
    with OwnerLock(database):
        child = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert b"up\n" == child.stdout.readline()

    with child, OwnerLock(database):
        child.communicate(b"\n")


def test_a_lock_given_up_twice_is_given_up(tmp_path):
    lock = OwnerLock(tmp_path / "easel.db")
    with lock:
        lock.__exit__(None, None, None)
