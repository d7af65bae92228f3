from __future__ import annotations

import os

import pytest

from inference.api.errors import JobError
from inference.api.jobs import ExplainJob, ImagineJob, UpscaleJob
from inference.api.jobs import wordlists as module
from inference.api.jobs.wordlists import MAX_LIST_BYTES, WordLists


@pytest.fixture
def lists(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESCAN_SECONDS", -1.0)
    (tmp_path / "animals").mkdir()
    (tmp_path / "colour.txt").write_text("# of a fox\nred\n\n  white \n")
    (tmp_path / "animals" / "cat.txt").write_bytes(b"\xef\xbb\xbfsiamese\r\nmanx\r\n")
    (tmp_path / "notes.md").write_text("no list")
    (tmp_path / ".hidden.txt").write_text("no list")
    return WordLists(tmp_path)


def test_files_are_lists_by_their_path(lists):
    assert sorted(lists) == ["animals/cat", "colour"]
    assert lists["colour"] == ("red", "white")
    assert lists["animals/cat"] == ("siamese", "manx")
    assert len(lists) == 2


@pytest.mark.parametrize(
    "name", ["../colour", "/etc/passwd", "animals/../colour", "colour.txt", ""]
)
def test_a_name_is_never_a_path(lists, name):
    assert lists.get(name) is None


def test_a_changed_list_is_read_again(lists, tmp_path):
    assert len(lists["colour"]) == 2
    (tmp_path / "colour.txt").write_text("blue\n")
    os.utime(tmp_path / "colour.txt", ns=(1, 1))

    assert lists["colour"] == ("blue",)


def test_a_list_that_went_away_is_none(lists, tmp_path, monkeypatch):
    assert "colour" in lists
    monkeypatch.setattr(module, "RESCAN_SECONDS", 3600.0)
    (tmp_path / "colour.txt").unlink()

    assert lists.get("colour") is None


def test_bytes_that_are_no_text_and_endless_files_do_no_harm(lists, tmp_path):
    (tmp_path / "wild.txt").write_bytes(b"\xff\xfe\n" + b"a\n" * MAX_LIST_BYTES)

    assert len(lists["wild"]) <= MAX_LIST_BYTES // 2


def test_without_the_folder_there_are_none(tmp_path):
    assert list(WordLists(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (ImagineJob(prompt="a __color__ fox"), "Did you mean __colour__?"),
        (ImagineJob(negative_prompt="__zzz__"), "There are: animals/cat, colour."),
        (UpscaleJob(prompt="__color__"), "Did you mean __colour__?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(lists, job, words):
    with pytest.raises(JobError, match=r"There is no list “(color|zzz)”") as refused:
        lists.check_mentions(job)

    assert words in str(refused.value)


def test_known_names_and_explanations_pass(lists):
    lists.check_mentions(ImagineJob(prompt="a __colour__ __animals/cat__, __, ____"))
    lists.check_mentions(ExplainJob(prompt="__color__"))


def test_a_host_without_lists_says_so(tmp_path):
    with pytest.raises(JobError, match="The host has none"):
        WordLists(tmp_path).check_mentions(ImagineJob(prompt="__colour__"))


def test_names_of_loras_and_embeddings_are_no_lists(tmp_path):
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "bad__hands__v5.safetensors").touch()
    lists = WordLists(tmp_path / "lists", tmp_path / "embeddings")

    lists.check_mentions(ImagineJob(prompt="<lora:my__cool__style:1>, Bad__Hands__v5"))
    with pytest.raises(JobError, match="no list “hands”"):
        lists.check_mentions(ImagineJob(prompt="worse__hands__v5"))
