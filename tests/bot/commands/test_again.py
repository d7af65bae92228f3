"""What the buttons of a result do, typed."""

from __future__ import annotations

import pytest

from tests.bot.views.test_results import child_of, done


async def made(house, **options):
    await done(house, **options)
    return (await house.jobs.reader.list_by_owner(str(house.alice.id), limit=1))[0]


async def test_once_more_with_a_new_seed(house):
    record = await made(house, prompt="a red apple", seed=5)
    await house.ask_plain("again", job=record.id)
    child = await child_of(house)
    assert (child.params["prompt"], child.parent) == ("a red apple", record.id)
    assert child.params["seed"] != 5


@pytest.mark.parametrize(("vary", "share"), [("subtle", 0.15), ("strong", 0.45)])
async def test_varied(house, vary, share):
    record = await made(house, seed=5, images=3, batch=3)
    await house.ask_plain("again", job=record.id, vary=vary, picture=2)
    child = await child_of(house)
    assert (child.params["seed"], child.params["variation_strength"]) == (6, share)


async def test_changed_with_the_same_seed(house):
    record = await made(house, prompt="a red apple", seed=5, steps=9)
    await house.ask_plain("again", job=record.id, prompt="a pear", strength=0.4)
    child = await child_of(house)
    told = {name: child.params[name] for name in ("prompt", "strength", "steps", "seed")}
    assert told == {"prompt": "a pear", "strength": 0.4, "steps": 9, "seed": 5}


async def test_one_picture_of_a_batch_alone(house):
    record = await made(house, seed=5, images=3, batch=3)
    await house.ask_plain("again", job=record.id, picture=3)
    child = await child_of(house)
    assert (child.params["seed"], child.params["batch"]) == (7, 1)


async def test_what_no_seed_decides_cannot_be_varied(house):
    record = await made(house, kind="upscale")
    refused = await house.ask_plain("again", job=record.id, vary="subtle")
    assert refused.ephemeral
    assert "No seed decides that upscale" in refused.response.content


@pytest.mark.parametrize("command", ["again", "delete"])
async def test_a_job_that_is_not_stored(house, command):
    refused = await house.ask_plain(command, job="nothing")
    assert refused.ephemeral
    assert "no longer stored" in refused.response.content


@pytest.mark.parametrize("command", ["again", "delete"])
async def test_somebody_elses_job(house, command):
    record = await made(house)
    refused = await house.ask_plain(command, house.bob, job=record.id)
    assert refused.ephemeral
    assert f"That is <@{house.alice.id}>'s." in refused.response.content


async def test_jobs_are_completed_by_words(house):
    await made(house, prompt="a red apple")
    pear = await made(house, prompt="a pear")
    offered = await house.alice.autocomplete(house.channel, "again", "job", "PEAR")
    assert [choice["value"] for choice in offered] == [pear.id]


async def test_delete_takes_the_message_away(house):
    record = await made(house)
    said = await house.ask_plain("delete", job=record.id)
    assert said.ephemeral
    assert house.messages() == []
    again = await house.ask_plain("delete", job=record.id)
    assert "could not be deleted" in again.response.content


async def test_delete_where_the_bot_was_shut_out(house):
    record = await made(house)
    house.env.inject_error("DELETE", "/channels/*", status=403, code=50001)
    said = await house.ask_plain("delete", job=record.id)
    assert "Press 🗑️ under it instead." in said.response.content


async def test_a_job_without_a_message(house):
    await house.ask()
    record = await house.only_job()
    said = await house.ask_plain("delete", job=record.id)
    assert "could not be deleted" in said.response.content
