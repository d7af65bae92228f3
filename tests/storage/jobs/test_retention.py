from __future__ import annotations

import contextlib
import sqlite3
from datetime import timedelta

import pytest

from storage.database import Database
from storage.errors import UnknownJob
from storage.jobs import JobStore, retention
from storage.moderation import ModerationStore, ScreeningRecord, Verdict
from storage.records import JobState
from tests.storage.factories import ROOMY, make_job


async def end(jobs, claim, *, sent=True, result=None):
    job = await claim()
    await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", result or {})
    if sent:
        await jobs.deliveries.begin_delivery(job.id)
        await jobs.deliveries.mark_delivered(job.id, "message")
    return job.id


async def test_a_purge_takes_what_ended_before_and_owes_nothing(
    jobs, enqueue, claim, clock, monkeypatch
):
    monkeypatch.setattr(retention, "JOBS_PER_PAGE", 2)
    for _ in range(8):
        await enqueue()
    for _ in range(5):
        await end(jobs, claim)
    owing = await end(jobs, claim, sent=False)
    clock.pass_time(60)
    recent = await end(jobs, claim)

    assert await jobs.retention.purge_ended(clock.now() - timedelta(seconds=30)) == 5
    assert await jobs.retention.purge_ended(clock.now() - timedelta(seconds=30)) == 0

    left = {job.id for job in await jobs.reader.list_by_owner("ada")}
    assert {owing, recent} < left
    assert len(left) == 3
    counts = await jobs.reader.count_by_state()
    assert (counts[JobState.DONE], counts[JobState.QUEUED]) == (2, 1)


async def test_what_a_member_keeps_is_listed_with_what_ended_first_before_all(
    jobs, enqueue, claim, clock, monkeypatch
):
    monkeypatch.setattr(retention, "JOBS_PER_PAGE", 2)
    image, mask, result, part = (f"{number:064x}" for number in range(4))
    waits = await enqueue(inputs={"image": image, "mask": mask})
    first = await claim()
    await jobs.queue.record_part(first.id, 1, "gpu-0", 0, {"picture": part})
    second = await enqueue(inputs={"image": image})
    await enqueue(owner="bob")
    await claim()
    clock.pass_time(1)
    await jobs.queue.cancel_job(second.id, "ada")
    third = await enqueue(inputs={"image": image})
    fourth = await enqueue(inputs={})

    assert waits.id == first.id
    assert await jobs.retention.list_owners() == ["ada", "bob"]
    kept = await jobs.retention.list_kept("ada")
    assert [(job.id, job.may_go, job.keys) for job in kept] == [
        (second.id, True, {image}),
        (first.id, False, {image, mask, part}),
        (third.id, False, {image}),
    ]
    assert await jobs.retention.delete_kept([job.id for job in kept] + [fourth.id]) == 1
    assert result not in await jobs.retention.referenced_blobs()


async def test_what_moderators_have_to_decide_about_does_not_make_room(
    jobs, enqueue, claim, database
):
    cases = ModerationStore(database)
    await enqueue()
    job = await end(jobs, claim, result={"pictures": ["ab" * 32]})
    await cases.open_case("guild", job, "reported", "bob", "ugly")
    assert [each.may_go for each in await jobs.retention.list_kept("ada")] == [False]

    await cases.close_cases(job, "cyd", ScreeningRecord(verdict=Verdict.CLEAN))

    assert [each.may_go for each in await jobs.retention.list_kept("ada")] == [True]


async def test_only_cancelled_jobs_go_as_such(jobs, enqueue, claim, clock):
    await enqueue()
    await end(jobs, claim)
    cancelled = await enqueue()
    await jobs.queue.cancel_job(cancelled.id, "ada")
    clock.pass_time(60)
    recent = await enqueue()
    await jobs.queue.cancel_job(recent.id, "ada")

    assert await jobs.retention.purge_cancelled(clock.now() - timedelta(seconds=30)) == 1
    assert len(await jobs.reader.list_by_owner("ada")) == 2


async def test_the_trusted_time_is_kept(jobs, clock):
    assert await jobs.retention.trusted_time() is None
    for doubted_for in (timedelta(hours=3), timedelta(0)):
        await jobs.retention.save_trusted_time(clock.now(), doubted_for)
        assert await jobs.retention.trusted_time() == (clock.now(), doubted_for)


async def test_a_child_outlives_its_parent(jobs, enqueue, claim, clock):
    parent = await enqueue()
    child = await enqueue(parent=parent.id, owner="bob")
    assert parent.id == child.parent

    await jobs.retention.forget_owner("ada")

    assert (await jobs.reader.get_job(child.id)).parent is None


async def test_forgetting_a_member_leaves_nothing_of_theirs(jobs, enqueue, claim, database):
    await enqueue(owner="bob")
    mine = [await enqueue(owner="ada") for _ in range(3)]
    running = [await claim() for _ in range(2)]
    job = next(each for each in running if each.owner == "ada")

    assert await jobs.retention.forget_owner("ada") == 3

    for each in mine:
        with pytest.raises(UnknownJob):
            await jobs.reader.get_job(each.id)
    assert not await jobs.queue.finish_job(job.id, 1, "gpu-0", {})
    assert await jobs.retention.forget_owner("ada") == 0
    owners = [row["owner"] for row in await database.fetch_all("SELECT * FROM member")]
    assert owners == ["ada", "bob"]  # an id and what is owed, of which the next test is
    counts = await jobs.reader.count_by_state()
    assert (counts[JobState.QUEUED], counts[JobState.RUNNING]) == (0, 1)


async def test_forgetting_does_not_erase_what_is_owed_in_the_queue(jobs, enqueue, claim):
    await enqueue(owner="ada")
    for _ in range(8):
        await enqueue(owner="bob")
    job = await claim()
    await jobs.queue.finish_job(job.id, 1, "gpu-0", {}, cost=5.0)
    await jobs.retention.forget_owner("ada")
    await enqueue(owner="ada")

    served = [(await claim()).owner for _ in range(7)]

    assert (job.owner, served) == ("ada", ["bob"] * 6 + ["ada"])


async def test_who_owes_nothing_and_has_no_jobs_is_forgotten(jobs, enqueue, claim, database, clock):
    await enqueue(owner="ada")
    await end(jobs, claim)
    await jobs.retention.forget_owner("ada")
    await enqueue(owner="bob")  # comes when ada has been served 1
    await end(jobs, claim)
    await enqueue(owner="bob")
    await end(jobs, claim)
    clock.pass_time(60)
    await jobs.retention.purge_ended(clock.now())

    assert [row["owner"] for row in await database.fetch_all("SELECT * FROM member")] == ["bob"]


async def test_what_was_forgotten_is_in_no_file_any_more(folder):
    secret = "a prompt that nobody else would write"
    path = folder / "private.db"
    async with Database(path) as database:
        jobs = JobStore(database)
        await jobs.queue.enqueue(make_job(params={"prompt": secret}), ROOMY)
    assert secret.encode() in path.read_bytes()

    async with Database(path) as database:
        assert await JobStore(database).retention.forget_owner("ada") == 1

    assert not [each for each in folder.glob("private*") if secret.encode() in each.read_bytes()]


async def test_what_was_forgotten_leaves_the_log_as_well_once_no_reader_needs_it(folder):
    secret = "a prompt that nobody else would write"
    path = folder / "private.db"
    async with Database(path) as database:
        jobs = JobStore(database)
        await jobs.queue.enqueue(make_job(params={"prompt": secret}), ROOMY)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM job").fetchall()
            await jobs.retention.forget_owner("ada")

            assert not await jobs.retention.empty_log()
            assert files_with(secret, folder) == {"private.db-wal"}
            await jobs.queue.enqueue(make_job(), ROOMY)  # nobody waits for that reader

        assert await jobs.retention.empty_log()
        assert files_with(secret, folder) == set()
        assert await database.fetch_value("PRAGMA busy_timeout") == 5000


def files_with(words, folder):
    return {path.name for path in folder.iterdir() if words.encode() in path.read_bytes()}


async def test_a_purge_of_one_server_leaves_the_others(jobs, enqueue, claim, clock):
    for guild in ("one", "two", None, "one"):
        await enqueue(guild=guild)
        await end(jobs, claim)
    assert await jobs.retention.list_guilds() == ["one", "two"]
    clock.pass_time(60)

    assert await jobs.retention.purge_ended(clock.now(), "one") == 2

    assert await jobs.retention.list_guilds() == ["two"]
    assert len(await jobs.reader.list_by_owner("ada")) == 2


async def test_an_old_address_is_retired_once_and_only_as_it_was(jobs, enqueue, clock):
    first, second = await enqueue(reply_to="token 1"), await enqueue(reply_to="token 2")
    clock.pass_time(60)
    await enqueue(reply_to="token 3")
    old = [(first.id, "token 1"), (second.id, "token 2")]
    assert await jobs.deliveries.expired_reply_targets(clock.now()) == old
    assert await jobs.deliveries.expired_reply_targets(clock.now(), 1) == old[:1]

    assert await jobs.deliveries.drop_reply_token(first.id, "token 1", "without")
    assert await jobs.deliveries.update_reply_to(second.id, "token 4")
    assert not await jobs.deliveries.drop_reply_token(second.id, "token 2", "without")

    assert await jobs.deliveries.expired_reply_targets(clock.now()) == []
    assert (
        (await jobs.reader.get_job(first.id)).reply_to,
        (await jobs.reader.get_job(second.id)).reply_to,
    ) == ("without", "token 4")


async def test_the_pictures_of_one_member_are_told_apart(jobs, enqueue):
    keys = [f"{number:064x}" for number in range(3)]
    for key, owner in zip(keys, ("ada", "bob", "ada"), strict=True):
        await enqueue(inputs={"image": key}, owner=owner)

    assert await jobs.retention.referenced_blobs("ada") == {keys[0], keys[2]}


async def test_every_picture_that_a_job_names_is_referenced(jobs, enqueue, claim, monkeypatch):
    monkeypatch.setattr(retention, "JOBS_PER_PAGE", 2)
    keys = [f"{number:064x}" for number in range(8)]
    await enqueue(inputs={"image": keys[0]})
    await end(jobs, claim, result={"pictures": [keys[1], {"thumb": keys[2]}], "seed": 3})
    await enqueue(inputs={"image": keys[3], "mask": keys[4]})
    running = await claim()
    await jobs.queue.record_part(running.id, 1, "gpu-0", 0, {"picture": keys[5]})
    for key in (keys[6], "not a key", keys[7].upper()[:63] + "G"):
        await enqueue(inputs={"image": key})

    assert set(keys[:7]) == await jobs.retention.referenced_blobs()


async def test_without_jobs_nothing_is_referenced(jobs):
    assert await jobs.retention.referenced_blobs() == set()
