"""A second signal ends the bot at once, and loses nothing."""

from __future__ import annotations

import pytest

from tests.process.easel import job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_a_second_signal_is_immediate_and_safe(quick_easel):
    easel = quick_easel
    await easel.up()
    asked = await easel.img2img(steps=150)
    await easel.until_stepping(asked)

    assert await easel.bot.terminate_twice() == 1

    (job,) = easel.jobs()
    assert job["state"] == "running"
    await easel.up()
    await easel.until_shown(asked)
    assert easel.discord.results(job_of(asked)) == [asked.answer]
    assert await easel.bot.terminate() == 0
