"""The arrows under a result, and what comes of pressing them."""

from __future__ import annotations

import pytest

from bot.views.outpaint import OUTPAINT_DIRECTIONS
from tests.bot.views.test_results import child_of, done, labels
from tests.doubles.cards import press


async def arrows(easel, **options):
    result = await done(easel, **options)
    return await press(easel.alice, result.response, label="Outpaint")


async def test_all_ways_are_offered_to_the_member_alone(easel):
    shown = await arrows(easel)
    assert shown.ephemeral
    assert labels(shown.response) == [way.label for way in OUTPAINT_DIRECTIONS.values()]


@pytest.mark.parametrize("name", OUTPAINT_DIRECTIONS)
async def test_each_way_is_one_click(easel, name):
    shown = await arrows(easel, prompt="a red apple", seed=5)
    (parent,) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    card = await press(easel.alice, shown.response, label=OUTPAINT_DIRECTIONS[name].label)
    assert not card.ephemeral
    job = await child_of(easel)
    assert (job.kind, job.params["prompt"], job.parent) == ("outpaint", "a red apple", parent.id)
    assert OUTPAINT_DIRECTIONS[name].options.items() <= job.params.items()
    assert job.inputs == {"image": parent.result["pictures"][0]["key"]}


async def test_a_picture_of_a_batch_is_the_one_continued(easel):
    result = await done(easel, images=3, batch=3)
    single = await press(easel.alice, result.response, label="U3")
    shown = await press(easel.alice, single.response, label="Outpaint")
    await easel.restart()
    await press(easel.alice, shown.response, label="Left")
    job = await child_of(easel)
    parent = await easel.jobs.reader.get_job(job.parent)
    assert job.inputs == {"image": parent.result["pictures"][2]["key"]}


async def test_somebody_elses_arrows_are_not_for_me(easel):
    result = await done(easel)
    pressed = await press(easel.bob, result.response, label="Outpaint")
    assert pressed.ephemeral
    assert "Ask for one of your own" in pressed.response.content
