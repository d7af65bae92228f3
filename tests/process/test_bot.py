"""The bot as a user starts it, with a real worker and a real database, against a stand-in."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.doubles.discord_faults import Fault
from tests.process.easel import LONG, job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_a_command_is_answered_with_a_picture_and_its_parameters(easel):
    await easel.up()

    asked = await easel.img2img(prompt="a red cat", seed=7)
    await easel.until_shown(asked)

    (file,) = asked.answer.files
    with Image.open(io.BytesIO(file.data)) as image:
        assert image.format == "PNG"
        assert "a red cat" in image.info["parameters"]
        assert "Seed: 7" in image.info["parameters"]
    assert "a red cat" in file.description
    assert "Again" in asked.answer.buttons
    assert "easel:more" in str(asked.answer.components)


async def test_a_job_outlives_its_worker(easel):
    await easel.up()
    asked = await easel.img2img(**LONG)
    await easel.until_stepping(asked)

    assert easel.bot.kill_workers() == 1
    await easel.until_shown(asked)

    assert easel.discord.results(job_of(asked)) == [asked.answer]


async def test_a_job_outlives_the_bot(easel):
    await easel.up()
    asked = await easel.img2img(**LONG)
    await easel.until_stepping(asked)

    await easel.bot.kill()
    await easel.up()
    await easel.until_shown(asked)

    assert easel.discord.results(job_of(asked)) == [asked.answer]
    again = await easel.discord.click("ada", asked.answer, "Again")
    await easel.until_shown(again)
    assert job_of(again) != job_of(asked)


async def test_a_result_whose_answer_was_lost_is_shown_once(easel):
    await easel.up()
    lost = easel.discord.faults.plan(Fault("PATCH", "/webhooks/", files=True))
    asked = await easel.img2img()
    await easel.discord.until(lambda: not lost.times)
    assert await easel.bot.terminate() == 0
    edits = asked.answer.edits

    await easel.up()
    await easel.discord.until(lambda: asked.answer.edits > edits)

    assert easel.discord.results(job_of(asked)) == [asked.answer]
    assert len(asked.answer.files) == 1


async def test_a_result_posted_with_its_answer_lost_is_shown_once(easel):
    await easel.up()
    refused = Fault("PATCH", "/webhooks/", files=True, status=401, code=50027, times=2)
    easel.discord.faults.plan(refused)
    lost = easel.discord.faults.plan(Fault("POST", "/channels/", files=True))
    asked = await easel.img2img()
    await easel.discord.until(lambda: not lost.times)
    assert await easel.bot.terminate() == 0

    await easel.up()
    await easel.discord.until(lambda: not refused.times)
    assert await easel.bot.terminate() == 0

    (job,) = [job for job in easel.jobs() if job["idempotency_key"] == asked.id]
    (result,) = easel.discord.results(job["id"])
    assert ("sent", result.id) == (job["delivery"], job["message"])
    assert len(result.files) == 1


async def test_a_stop_hands_the_jobs_back(easel):
    await easel.up()
    asked = await easel.img2img(**{**LONG, "batch": 8})
    await easel.until_stepping(asked)

    assert await easel.bot.terminate() == 0

    states = {job["id"]: (job["state"], job["strikes"]) for job in easel.jobs()}
    assert states[job_of(asked)] in (("queued", 0), ("done", 0))
    await easel.up()
    await easel.until_shown(asked)
    assert easel.discord.results(job_of(asked)) == [asked.answer]
