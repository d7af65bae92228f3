from __future__ import annotations

from tests.doubles.cards import press


async def made(easel, member=None, **options):
    result = await easel.ask(member=member, **options)
    await easel.finish()
    return result


async def test_nothing_yet(easel):
    result = await easel.ask_plain("history")
    assert result.ephemeral
    assert "You have made nothing yet" in result.response.content


async def test_my_jobs_newest_first_and_nobody_elses(easel):
    await made(easel, prompt="first")
    result = await made(easel, prompt="second")
    await press(easel.alice, result.response, label="Again")
    await easel.finish()
    await made(easel, easel.bob, prompt="private")
    shown = await easel.ask_plain("history")
    assert shown.ephemeral
    _, again, second, first = shown.response.content.splitlines()
    assert "`first`" in first
    assert "`second`" in second
    assert (
        f"from …{(await easel.jobs.reader.list_by_owner(str(easel.alice.id)))[1].id[-4:]}" in again
    )


async def test_one_opens_again_with_its_picture_and_buttons(easel):
    await made(easel, prompt="a red apple", seed=5)
    record = await easel.only_job()
    shown = await easel.ask_plain("history")
    await easel.restart()
    opened = await easel.alice.select(shown.response, [record.id])
    assert opened.ephemeral
    assert len(opened.response.attachments) == 1
    assert "seed `5`" in opened.response.content
    again = await press(easel.alice, opened.response, label="Again")
    assert not again.ephemeral
    assert easel.service.job.params["prompt"] == "a red apple"


async def test_one_that_was_forgotten_meanwhile(easel):
    await made(easel)
    record = await easel.only_job()
    shown = await easel.ask_plain("history")
    await easel.jobs.retention.forget_owner(str(easel.alice.id))
    opened = await easel.alice.select(shown.response, [record.id])
    assert "no longer stored" in opened.response.content


async def test_one_by_its_id_with_what_came_of_it(easel):
    first = await made(easel, prompt="a red apple")
    root = await easel.only_job()
    await press(easel.alice, first.response, label="Vary")
    await easel.finish()
    await press(easel.alice, first.response, label="Upscale 2×")
    await easel.finish()
    (upscaled, varied, _) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    shown = await easel.ask_plain("history", job=varied.id)
    card, (tree,) = shown.response, shown.followups
    assert card.ephemeral
    assert tree.ephemeral
    assert len(card.attachments) == 1
    _, *lines = tree.content.splitlines()
    assert [line[: line.index(" **")] for line in lines] == [
        f"…{root.id[-4:]}",
        f"└ …{varied.id[-4:]}",
        f"└ …{upscaled.id[-4:]}",
    ]
    assert [line.endswith("this one") for line in lines] == [False, True, False]


async def test_one_picture_of_a_batch(easel):
    await easel.ask(batch=3, seed=5)
    await easel.finish(images=3)
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id, picture=2)
    card = shown.response
    original = await press(easel.alice, card, label="Original")
    (file,) = original.response.attachments
    assert await file.read() == await easel.blobs.get(record.result["pictures"][1]["key"])
    assert "Picture 2 of 3." in card.content


async def test_the_parameters_of_one(easel):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id, parameters=True)
    assert shown.ephemeral
    assert "Steps: 20" in shown.response.content
    (file,) = shown.response.attachments
    assert "strength: 0.75" in (await file.read()).decode()


async def test_somebody_elses_is_not_shown(easel):
    await made(easel)
    record = await easel.only_job()
    shown = await easel.ask_plain("history", easel.bob, job=record.id)
    assert shown.ephemeral
    assert "Ask for one of your own" in shown.response.content


async def test_a_job_is_shown_by_the_end_of_its_id(easel):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id[-4:])
    assert "a red apple" in shown.response.content
