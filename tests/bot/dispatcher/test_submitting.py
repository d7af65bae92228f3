from __future__ import annotations

import pytest

from inference.api.errors import ImageMissing, JobError
from inference.api.jobs import Img2ImgJob, LoopbackJob
from storage.errors import QueueFull
from storage.records import JobState
from tests.bot.dispatcher.conftest import LIMITS
from tests.doubles.images import png


async def test_a_job_is_stored_with_its_pictures(idle_line):
    submission = await idle_line.submit()

    record = submission.record
    assert submission.created
    assert record.state == JobState.QUEUED
    assert (record.owner, record.guild, record.reply_to) == ("ada", "guild", "somewhere")
    assert png() == await idle_line.blobs.get(record.inputs["image"])
    assert record.cost > 0


async def test_a_seed_left_to_chance_is_drawn_before_it_is_stored(idle_line):
    drawn = (await idle_line.submit()).record
    given = (await idle_line.submit(job=Img2ImgJob(seed=11))).record

    assert drawn.params["seed"] >= 0
    assert given.params["seed"] == 11


async def test_the_same_request_is_queued_once(idle_line):
    first = await idle_line.submit(key="one")
    second = await idle_line.submit(key="one")

    assert first.record.id == second.record.id
    assert (first.created, second.created) == (True, False)
    assert (await idle_line.jobs.reader.count_by_state())[JobState.QUEUED] == 1


async def test_a_submission_knows_its_place_and_whether_anyone_works(idle_line):
    await idle_line.submit()
    second = await idle_line.submit()
    idle_line.service.ready = False
    third = await idle_line.submit()

    assert (second.place.position, second.workers_ready) == (2, 1)
    assert (third.place.position, third.workers_ready) == (3, 0)


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (Img2ImgJob(prompt="a AND " * 1000), "prompt.too_many_parts"),
        (Img2ImgJob(prompt="a BREAK " * 700), "prompt.too_many_chunks"),
        (LoopbackJob(loops=32, batch=8, steps=150, width=2048, height=2048), "job.too_dear"),
    ],
)
async def test_what_is_too_dear_is_refused_before_anything_is_stored(idle_line, job, code):
    with pytest.raises(JobError) as refusal:
        await idle_line.submit(job=job)

    assert refusal.value.notice.code == code
    assert await idle_line.blobs.list_keys() == set()
    assert (await idle_line.jobs.reader.count_by_state())[JobState.QUEUED] == 0


@pytest.mark.parametrize(
    ("images", "refusal"), [({}, ImageMissing), ({"image": b"", "mask": b""}, JobError)]
)
async def test_wrong_pictures_are_refused_before_anything_is_stored(idle_line, images, refusal):
    with pytest.raises(refusal):
        await idle_line.submit(images=images)

    assert await idle_line.blobs.list_keys() == set()


async def test_a_full_queue_refuses(idle_line):
    for _ in range(LIMITS.per_owner):
        await idle_line.submit()

    with pytest.raises(QueueFull):
        await idle_line.submit()
    assert (await idle_line.submit(owner="bob")).created
