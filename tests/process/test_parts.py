"""A job of several parts goes on from its last finished one, to the very same pictures."""

from __future__ import annotations

import json

import pytest

from tests.doubles.images import encoded, noise
from tests.process.easel import job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LOOPS = {"prompt": "a red apple", "seed": 7, "loops": 6, "steps": 60, "strength": 0.9}


async def ask(easel):
    photo = ("photo.png", encoded(noise((64, 64))))
    return await easel.discord.slash("ada", "loopback", image=photo, **LOOPS)


def made(easel, asked):
    """Give the keys of a job's pictures, each the hash of its bytes."""
    (job,) = [job for job in easel.jobs() if job["id"] == job_of(asked)]
    return [image["key"] for image in json.loads(job["result"])["pictures"]]


async def test_a_loopback_goes_on_after_a_crash_as_if_there_had_been_none(easel):
    await easel.up()
    whole = await ask(easel)
    await easel.until_shown(whole)

    for victim in ("worker", "bot"):
        asked = await ask(easel)
        await easel.discord.until(lambda: easel.parts() >= 2)
        if victim == "worker":
            assert easel.bot.kill_workers() == 1
        else:
            await easel.bot.kill()
            await easel.up()
        await easel.until_shown(asked)

        assert made(easel, whole) == made(easel, asked)
        assert easel.parts() == 0
    assert easel.bot.log.count(" goes on after ") == 2
