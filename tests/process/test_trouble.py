"""Discord in trouble while a result is on its way: it is shown once all the same."""

from __future__ import annotations

import pytest

from tests.doubles.discord_faults import Fault
from tests.process.easel import job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_result_that_discord_would_not_take_at_first_is_shown_once(quick_easel, status):
    easel = quick_easel
    await easel.up()
    refused = easel.discord.faults.plan(Fault("PATCH", "/webhooks/", files=True, status=status))

    asked = await easel.img2img()
    await easel.until_shown(asked)

    assert not refused.times
    assert easel.discord.results(job_of(asked)) == [asked.answer]
    assert len(asked.answer.files) == 1


async def test_a_lost_gateway_costs_no_result_and_comes_back(quick_easel):
    easel = quick_easel
    await easel.up()
    asked = await easel.img2img(steps=100)
    await easel.until_stepping(asked)

    await easel.discord.gateway.close()
    await easel.until_shown(asked)
    await easel.discord.until(lambda: easel.discord.connected)

    assert easel.discord.results(job_of(asked)) == [asked.answer]
    again = await easel.img2img("bob")
    await easel.until_shown(again)


async def test_a_start_whose_commands_are_not_confirmed_goes_on(quick_easel):
    easel = quick_easel
    lost = easel.discord.faults.plan(Fault("PUT", "/commands$"))

    await easel.up()
    asked = await easel.img2img("cem")
    await easel.until_shown(asked)

    assert not lost.times
