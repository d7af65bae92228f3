from __future__ import annotations

import contextlib
import sqlite3

from bot import retention
from bot.commands.privacy import ERASE_CONFIRMATION, _retention_text
from tests.doubles.images import png


async def test_what_is_stored_is_counted(easel):
    await easel.ask()
    await easel.finish()
    result = await easel.ask_plain("privacy show")
    assert result.ephemeral
    assert "stores 1 job and 2 pictures" in result.response.content


async def test_what_may_be_kept_is_said(easel):
    storage = easel.services.submitter.member_storage
    storage.max_bytes = 2**30
    await easel.ask()
    size = await storage.measure(str(easel.alice.id))
    shown = (await easel.ask_plain("privacy show")).response.content
    assert f"They take {size / 2**20:.3g} MiB of the 1 GiB that one member may keep" in shown
    storage.max_bytes = 0
    shown = (await easel.ask_plain("privacy show")).response.content
    assert "MiB. What you cancel goes after a day." in shown


async def test_where_other_machines_compute_it_is_said(easel):
    words = "on the machine that computes it"
    assert words not in (await easel.ask_plain("privacy show")).response.content

    object.__setattr__(easel.services, "has_nodes", True)
    assert words in (await easel.ask_plain("privacy show")).response.content


async def test_direct_messages_are_allowed_and_forbidden(easel):
    owner = str(easel.alice.id)
    assert "waits for you in `/queue`" in (await easel.ask_plain("privacy show")).response.content
    result = await easel.ask_plain("privacy messages", allow="yes")
    assert result.ephemeral
    assert "comes to your direct messages" in result.response.content
    assert "comes to your direct" in (await easel.ask_plain("privacy show")).response.content
    assert "None" in (await easel.ask_plain("defaults show")).response.content
    await easel.ask_plain("defaults clear")
    assert await easel.services.member_switches.is_dm_allowed(owner)
    await easel.ask_plain("privacy messages", allow="no")
    assert not await easel.services.member_switches.is_dm_allowed(owner)
    await easel.ask_plain("privacy messages", allow="yes")
    await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert not await easel.services.member_switches.is_dm_allowed(owner)


async def test_forget_deletes_mine_and_keeps_what_others_need(easel):
    shared = ("a.png", png(colour="green"))
    await easel.ask(image=shared)
    await easel.finish(colour="yellow")
    mine = await easel.only_job()
    await easel.ask(image=shared, member=easel.bob)
    await easel.finish(colour="black")
    theirs = await easel.only_job(easel.bob)
    await easel.guilds.put_member_defaults(str(easel.alice.id), {"steps": 9})

    result = await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)

    assert result.ephemeral
    assert "Deleted 1 job and 2 pictures" in result.response.content
    assert await easel.jobs.reader.list_by_owner(str(easel.alice.id)) == []
    assert await easel.guilds.member_defaults(str(easel.alice.id)) == {}
    assert not await easel.blobs.exists(mine.result["pictures"][0]["key"])
    assert await easel.blobs.exists(theirs.inputs["image"])
    assert await easel.blobs.exists(theirs.result["pictures"][0]["key"])


async def test_what_was_forgotten_is_in_no_file_of_the_running_bot(easel):
    prompt = "words that nobody else would write"
    folder = easel.blobs.root.parent
    await easel.ask(prompt=prompt)
    assert files_with(prompt, folder) != set()

    await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert files_with(prompt, folder) == set()


async def test_a_reader_that_is_in_the_way_is_waited_for_by_the_housekeeping(easel, monkeypatch):
    monkeypatch.setattr(retention, "LOG_RETRY_SECONDS", 0.0)
    prompt = "words that nobody else would write"
    folder = easel.blobs.root.parent
    await easel.ask(prompt=prompt)
    with contextlib.closing(sqlite3.connect(folder / "easel.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM job").fetchall()
        result = await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
        assert "Deleted 1 job" in result.response.content
        assert files_with(prompt, folder) == {"easel.db-wal"}

    tasks = retention.default_tasks(easel.jobs, easel.blobs, easel.guilds, 30)
    (empty_log,) = [task for task in tasks if "log" in task.name]
    await retention.run_task(empty_log)
    assert files_with(prompt, folder) == set()


def files_with(words, folder):
    return {path.name for path in folder.rglob("*") if words.encode() in file_content(path)}


def file_content(path):
    return path.read_bytes() if path.is_file() else b""


async def test_forget_calls_off_what_runs(easel):
    await easel.ask()
    await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert easel.service.held == {}
    assert await easel.count() == 0


def test_how_long_things_are_kept_is_said():
    assert "at most 90 days" in _retention_text(90)
    assert "days" not in _retention_text(0)
