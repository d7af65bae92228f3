"""What the buttons of a result do, typed."""

from __future__ import annotations

import pytest

from tests.bot.views.test_results import child_of, done


async def made(easel, **options):
    await done(easel, **options)
    return (await easel.jobs.reader.list_by_owner(str(easel.alice.id), limit=1))[0]


async def test_once_more_with_a_new_seed(easel):
    record = await made(easel, prompt="a red apple", seed=5)
    await easel.ask_plain("again", job=record.id)
    child = await child_of(easel)
    assert (child.params["prompt"], child.parent) == ("a red apple", record.id)
    assert child.params["seed"] != 5


@pytest.mark.parametrize(("vary", "share"), [("subtle", 0.5), ("strong", 0.8)])
async def test_varied(easel, vary, share):
    record = await made(easel, seed=5, images=3, batch=3)
    await easel.ask_plain("again", job=record.id, vary=vary, picture=2)
    child = await child_of(easel)
    assert (child.params["seed"], child.params["variation_strength"]) == (6, share)


async def test_changed_with_the_same_seed(easel):
    record = await made(easel, prompt="a red apple", seed=5, steps=9)
    await easel.ask_plain("again", job=record.id, prompt="a pear", strength=0.4)
    child = await child_of(easel)
    told = {name: child.params[name] for name in ("prompt", "strength", "steps", "seed")}
    assert told == {"prompt": "a pear", "strength": 0.4, "steps": 9, "seed": 5}


async def test_one_picture_of_a_batch_alone(easel):
    record = await made(easel, seed=5, images=3, batch=3)
    await easel.ask_plain("again", job=record.id, picture=3)
    child = await child_of(easel)
    assert (child.params["seed"], child.params["batch"]) == (7, 1)


async def test_what_no_seed_decides_cannot_be_varied(easel):
    record = await made(easel, kind="upscale")
    refused = await easel.ask_plain("again", job=record.id, vary="subtle")
    assert refused.ephemeral
    assert "No seed decides that upscale" in refused.response.content


@pytest.mark.parametrize("command", ["again", "delete"])
async def test_a_job_that_is_not_stored(easel, command):
    refused = await easel.ask_plain(command, job="nothing")
    assert refused.ephemeral
    assert "You have no job “nothing”" in refused.response.content


@pytest.mark.parametrize("command", ["again", "delete"])
async def test_somebody_elses_job(easel, command):
    record = await made(easel)
    refused = await easel.ask_plain(command, easel.bob, job=record.id)
    assert refused.ephemeral
    assert f"That is <@{easel.alice.id}>'s." in refused.response.content


async def test_jobs_are_completed_by_words(easel):
    await made(easel, prompt="a red apple")
    pear = await made(easel, prompt="a pear")
    offered = await easel.alice.autocomplete(easel.channel, "again", "job", "PEAR")
    assert [choice["value"] for choice in offered] == [pear.id]


async def test_delete_takes_the_message_away(easel):
    record = await made(easel)
    said = await easel.ask_plain("delete", job=record.id)
    assert said.ephemeral
    assert easel.messages() == []
    again = await easel.ask_plain("delete", job=record.id)
    assert "could not be deleted" in again.response.content


async def test_delete_where_the_bot_was_shut_out(easel):
    record = await made(easel)
    easel.env.inject_error("DELETE", "/channels/*", status=403, code=50001)
    said = await easel.ask_plain("delete", job=record.id)
    assert "Press 🗑️ under it instead." in said.response.content


async def test_a_job_without_a_message(easel):
    await easel.ask()
    record = await easel.only_job()
    said = await easel.ask_plain("delete", job=record.id)
    assert "could not be deleted" in said.response.content
