from __future__ import annotations


async def made(house, member=None, **options):
    result = await house.ask(member=member, **options)
    await house.finish()
    return result


async def test_nothing_yet(house):
    result = await house.ask_plain("history")
    assert result.ephemeral
    assert "You have made nothing yet" in result.response.content


async def test_my_jobs_newest_first_and_nobody_elses(house):
    await made(house, prompt="first")
    result = await made(house, prompt="second")
    await house.alice.click(result.response, label="Again")
    await house.finish()
    await made(house, house.bob, prompt="private")
    shown = await house.ask_plain("history")
    assert shown.ephemeral
    _, again, second, first = shown.response.content.splitlines()
    assert "`first`" in first
    assert "`second`" in second
    assert f"from …{(await house.jobs.list_for(str(house.alice.id)))[1].id[-4:]}" in again


async def test_one_opens_again_with_its_picture_and_buttons(house):
    await made(house, prompt="a red apple", seed=5)
    record = await house.only_job()
    shown = await house.ask_plain("history")
    await house.restart()
    opened = await house.alice.select(shown.response, [record.id])
    assert opened.ephemeral
    assert len(opened.response.attachments) == 1
    assert "seed `5`" in opened.response.content
    again = await house.alice.click(opened.response, label="Again")
    assert not again.ephemeral
    assert house.service.job.params["prompt"] == "a red apple"


async def test_one_that_was_forgotten_meanwhile(house):
    await made(house)
    record = await house.only_job()
    shown = await house.ask_plain("history")
    await house.jobs.forget(str(house.alice.id))
    opened = await house.alice.select(shown.response, [record.id])
    assert "no longer stored" in opened.response.content
