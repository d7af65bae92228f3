from __future__ import annotations

from dataclasses import replace

from inference.api.messages import ModelInfo


async def test_an_empty_queue(easel):
    result = await easel.ask_plain("queue")
    assert result.ephemeral
    assert result.response.content.splitlines() == [
        "0 running, 0 waiting, 1 worker ready.",
        "You have nothing in the queue.",
    ]


async def test_my_jobs_with_their_places(easel):
    easel.service.capacity = 1
    await easel.ask(prompt="first")
    await easel.ask(prompt="second")
    await easel.ask(member=easel.bob)
    head, first, second, rule = (await easel.ask_plain("queue")).response.content.splitlines()
    assert head == "1 running, 2 waiting, 1 worker ready."
    assert "running" in first
    assert "`first`" in first
    assert "in the queue" in second
    assert "served least" in rule


async def test_my_jobs_with_the_time_they_take(easel):
    await easel.ask(prompt="before")
    await easel.finish()
    await easel.ask(prompt="running")
    page = (await easel.ask_plain("queue")).response.content
    assert ", ready in " in page


async def test_others_jobs_are_counted_and_not_shown(easel):
    await easel.ask(prompt="private")
    result = await easel.ask_plain("queue", member=easel.bob)
    assert "1 running" in result.response.content
    assert "private" not in result.response.content


async def test_a_result_that_could_not_be_shown_waits_in_the_queue_page(easel):
    await easel.ask()
    easel.close_channel()
    await easel.finish()
    result = await easel.ask_plain("queue")
    assert "could not be shown" in result.response.content
    (button,) = result.response.components[0]["components"]
    assert button["custom_id"].startswith("easel:show:")


async def test_show_result_delivers_it_once(easel):
    await easel.ask()
    easel.close_channel()
    await easel.finish()
    page = (await easel.ask_plain("queue")).response
    easel.open_channel()
    shown = await easel.alice.click(
        page, custom_id=page.components[0]["components"][0]["custom_id"]
    )
    assert len(shown.response.attachments) == 1
    assert (await easel.only_job()).delivery == "sent"
    twice = await easel.alice.click(
        page, custom_id=page.components[0]["components"][0]["custom_id"]
    )
    assert twice.ephemeral
    assert "shown already" in twice.response.content


async def test_a_job_says_which_model_it_waits_for(easel, monkeypatch):
    """Of two workers the one that has it is starting again."""
    status = easel.service.worker_statuses[0]
    xl = ModelInfo(name="xl", kind="diffusion", size=1024)
    absent = replace(status, name="other", ready=False, models=(*status.models, xl))
    statuses = property(lambda service: (replace(status, held=len(service.held)), absent))
    monkeypatch.setattr(type(easel.service), "worker_statuses", statuses)

    asked = await easel.ask(model="xl")
    words = "No worker that is up has xl; the job starts when one has."
    assert words in asked.response.content
    page = (await easel.ask_plain("queue")).response.content
    assert f"number 1 in the queue. {words}" in page
    assert not easel.service.held
    assert "No worker that is up" not in (await easel.ask()).response.content
