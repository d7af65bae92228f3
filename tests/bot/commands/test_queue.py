from __future__ import annotations


async def test_an_empty_queue(house):
    result = await house.ask_plain("queue")
    assert result.ephemeral
    assert result.response.content.splitlines() == [
        "0 running, 0 waiting, 1 worker ready.",
        "You have nothing in the queue.",
    ]


async def test_my_jobs_with_their_places(house):
    house.service.capacity = 1
    await house.ask(prompt="first")
    await house.ask(prompt="second")
    await house.ask(member=house.bob)
    head, first, second, rule = (await house.ask_plain("queue")).response.content.splitlines()
    assert head == "1 running, 2 waiting, 1 worker ready."
    assert "running" in first
    assert "`first`" in first
    assert "in the queue" in second
    assert "served least" in rule


async def test_my_jobs_with_the_time_they_take(house):
    await house.ask(prompt="before")
    await house.finish()
    await house.ask(prompt="running")
    page = (await house.ask_plain("queue")).response.content
    assert ", ready in " in page


async def test_others_jobs_are_counted_and_not_shown(house):
    await house.ask(prompt="private")
    result = await house.ask_plain("queue", member=house.bob)
    assert "1 running" in result.response.content
    assert "private" not in result.response.content


async def test_a_result_that_could_not_be_shown_waits_in_the_queue_page(house):
    await house.ask()
    house.close_channel()
    await house.finish()
    result = await house.ask_plain("queue")
    assert "could not be shown" in result.response.content
    (button,) = result.response.components[0]["components"]
    assert button["custom_id"].startswith("easel:show:")


async def test_show_result_delivers_it_once(house):
    await house.ask()
    house.close_channel()
    await house.finish()
    page = (await house.ask_plain("queue")).response
    house.open_channel()
    shown = await house.alice.click(
        page, custom_id=page.components[0]["components"][0]["custom_id"]
    )
    assert len(shown.response.attachments) == 1
    assert (await house.only_job()).delivery == "sent"
    twice = await house.alice.click(
        page, custom_id=page.components[0]["components"][0]["custom_id"]
    )
    assert twice.ephemeral
    assert "shown already" in twice.response.content
