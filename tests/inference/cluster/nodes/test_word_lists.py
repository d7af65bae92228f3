"""Lists of words are the bot's: a node needs no copy of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api.jobs.wordlists import RESCAN_SECONDS
from inference.api.messages import JobFinished
from inference.api.workers import RemoteWorkerPool
from inference.cluster.nodes import word_lists
from inference.cluster.nodes.files import store_lists
from inference.cluster.nodes.word_lists import WordListSender
from tests.inference.api.workers.conftest import (
    LINK_COMMAND,
    Stage,
    configure_link,
    submission,
)
from tests.inference.api.workers.test_pool import next_of


@pytest.fixture
def lists(tmp_path) -> Path:
    lists = tmp_path / "wildcards"
    (lists / "fruit").mkdir(parents=True)
    (lists / "colour.txt").write_text("red\n")
    (lists / "fruit" / "sweet.txt").write_text("pear\n")
    return lists


def read_lists(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.txt")}


async def test_a_worker_is_ready_only_once_it_has_the_bot_s_lists(tmp_path, node, lists):
    link = configure_link(tmp_path, "good")
    link = replace(link, config=replace(link.config, wordlists_dir=str(lists)))
    async with RemoteWorkerPool(link, command=(*LINK_COMMAND, str(node))) as service:
        await Stage(service, node / "outbox" / "seat0").free()

        assert read_lists(node / "wordlists" / "seat0") == read_lists(lists)


async def test_a_job_that_comes_after_a_change_finds_it_on_the_node(tmp_path, node, lists):
    link = configure_link(tmp_path, "good")
    link = replace(link, config=replace(link.config, wordlists_dir=str(lists)))
    async with RemoteWorkerPool(link, command=(*LINK_COMMAND, str(node))) as service:
        stage = Stage(service, node / "outbox" / "seat0")
        worker = await stage.free()
        (lists / "colour.txt").write_text("green\nblue\n")
        (lists / "fruit" / "sweet.txt").unlink()
        await asyncio.sleep(RESCAN_SECONDS)  # the next look at the folder
        await service.submit_job(worker, submission("a"))
        await stage.arrive("a")

        assert read_lists(node / "wordlists" / "seat0") == {"colour.txt": "green\nblue\n"}
        stage.finish("a")
        await next_of(service, JobFinished)


class Node:
    """Answers as a seat's host does, with a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[list[str]] = []

    async def call(self, method, session, batch, names):
        assert method == "write_lists"
        self.calls.append(sorted(batch))
        store_lists(self.folder, batch, names)
        return ""


async def test_only_what_changed_travels_again(tmp_path, lists, monkeypatch):
    monkeypatch.setattr(word_lists, "RESCAN_SECONDS", 0.0)
    node = Node(tmp_path / "node")
    node.folder.mkdir()
    sender = WordListSender(node.call, "s", lists)
    await sender.send_changes()
    await sender.send_changes()
    (lists / "colour.txt").write_text("yellow\n")
    os.utime(lists / "colour.txt", ns=(1, 1))
    await sender.send_changes()
    (lists / "colour.txt").unlink()
    await sender.send_changes()

    assert node.calls == [["colour.txt", "fruit/sweet.txt"], ["colour.txt"], []]
    assert read_lists(node.folder) == {"fruit/sweet.txt": "pear\n"}


async def test_many_lists_travel_in_several_calls(tmp_path, lists, monkeypatch):
    monkeypatch.setattr(word_lists, "BATCH_BYTES", 3)
    node = Node(tmp_path / "node")
    node.folder.mkdir()
    await WordListSender(node.call, "s", lists).send_changes()

    assert node.calls == [["colour.txt"], ["fruit/sweet.txt"], []]
    assert read_lists(node.folder) == read_lists(lists)


async def test_a_bot_without_lists_leaves_none_on_the_node(tmp_path):
    node = Node(tmp_path / "node")
    store_lists(node.folder, {"old.txt": b"word"}, ["old.txt"])
    await WordListSender(node.call, "s", tmp_path / "absent").send_changes()

    assert read_lists(node.folder) == {}


@given(st.text("./a\\\0", max_size=8))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("node") / "within"
    folder.mkdir()
    with contextlib.suppress(ValueError, OSError):
        store_lists(folder, {f"{name}.txt": b"word"}, [])
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["../x.txt", "/tmp/x.txt", "a/../../x.txt", "x.sh"])
def test_a_name_that_would_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no name of a list"):
        store_lists(tmp_path, {name: b"word"}, [])
