"""The arrows under a result, and what comes of pressing them."""

from __future__ import annotations

import pytest

from bot.views.outpaint import OUTPAINT_DIRECTIONS
from tests.bot.views.test_results import child_of, done, labels


async def arrows(house, **options):
    result = await done(house, **options)
    return await house.alice.click(result.response, label="Outpaint")


async def test_all_ways_are_offered_to_the_member_alone(house):
    shown = await arrows(house)
    assert shown.ephemeral
    assert labels(shown.response) == [way.label for way in OUTPAINT_DIRECTIONS.values()]


@pytest.mark.parametrize("name", OUTPAINT_DIRECTIONS)
async def test_each_way_is_one_click(house, name):
    shown = await arrows(house, prompt="a red apple", seed=5)
    (parent,) = await house.jobs.reader.list_by_owner(str(house.alice.id))
    card = await house.alice.click(shown.response, label=OUTPAINT_DIRECTIONS[name].label)
    assert not card.ephemeral
    job = await child_of(house)
    assert (job.kind, job.params["prompt"], job.parent) == ("outpaint", "a red apple", parent.id)
    assert OUTPAINT_DIRECTIONS[name].options.items() <= job.params.items()
    assert job.inputs == {"image": parent.result["pictures"][0]["key"]}


async def test_a_picture_of_a_batch_is_the_one_continued(house):
    result = await done(house, images=3, batch=3)
    single = await house.alice.click(result.response, label="U3")
    shown = await house.alice.click(single.response, label="Outpaint")
    await house.restart()
    await house.alice.click(shown.response, label="Left")
    job = await child_of(house)
    parent = await house.jobs.reader.get_job(job.parent)
    assert job.inputs == {"image": parent.result["pictures"][2]["key"]}


async def test_somebody_elses_arrows_are_not_for_me(house):
    result = await done(house)
    pressed = await house.bob.click(result.response, label="Outpaint")
    assert pressed.ephemeral
    assert "Ask for one of your own" in pressed.response.content
