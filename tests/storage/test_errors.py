from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from storage import errors
from storage.errors import BlobMissing, DatabaseLocked, MigrationError, QueueFull, StorageError

TREE = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if each.__module__ == errors.__name__
]


def test_the_tree_at_the_top_names_every_error_and_no_other():
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", inspect.getdoc(errors) or "", re.MULTILINE)[1:]

    assert {each.__name__ for each in TREE} == {name for name in drawn if name != "The"} | {
        "StorageError"
    }


def test_every_error_is_a_storage_error_with_a_sentence_of_its_own():
    for each in TREE:
        assert issubclass(each, StorageError)
        assert (inspect.getdoc(each) or "").endswith(".")
    assert len(TREE) == len({inspect.getdoc(each) for each in TREE})


def test_an_error_says_its_docstring_or_what_it_is_told():
    assert str(MigrationError()) == "The database's schema does not fit this version of Easel."
    assert str(MigrationError("Update Easel.")) == "Update Easel."
    assert str(BlobMissing("ab")) == "The picture is no longer stored. Send it again."
    assert BlobMissing("ab").key == "ab"


@pytest.mark.parametrize(("holder", "words"), [("42", "process 42"), ("", "another process")])
def test_a_locked_database_says_by_whom(holder, words):
    assert f"in use by {words}." in str(DatabaseLocked(Path("easel.db"), holder))


@pytest.mark.parametrize(("queued", "words"), [(1, "1 waiting job,"), (2, "2 waiting jobs,")])
def test_a_full_queue_counts_in_english(queued, words):
    assert words in str(QueueFull("owner", queued, queued))
