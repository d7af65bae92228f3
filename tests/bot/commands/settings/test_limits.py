"""Ceilings, queues and quotas."""

from __future__ import annotations

import asyncio

from bot import retention
from bot.errors import NotAllowed
from bot.guilds import RequestContext
from bot.requests.reply_target import ReplyTarget
from inference.api.jobs import decode_job
from storage.records import JobState
from tests.doubles.cards import press
from tests.doubles.images import png


class AnsweredRequest:
    """A request whose answer is the card of another job, so that many can come at once."""

    def __init__(self, record, key):
        self.key = key
        self.context = RequestContext(guild_id=record.guild, user_id=record.owner)
        self.reply_to = ReplyTarget.from_json(record.reply_to)

    async def send_answer(self, words, *, private=False):
        return self.reply_to


async def test_the_whole_servers_queue(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_server_jobs=1)
    await easel.ask()
    refused = await easel.ask(member=easel.bob)
    assert "This server has 1 jobs under way and allows 1" in said(refused)
    await easel.finish()
    await easel.ask(member=easel.bob)
    assert await easel.count() == 2


async def test_a_quota_is_charged_from_what_ran(easel, admin, said):
    await easel.ask_plain("settings quota", admin, seconds=1.5)
    for _ in range(2):
        await easel.ask()
        await easel.finish()  # the worker measured one second
    refused = await easel.ask()
    assert "used 2 of the 2 GPU-seconds" in said(refused)
    assert "0 remain. The next come back <t:" in said(refused)
    await easel.ask(member=easel.bob)
    assert await easel.count() == 3
    queue = await easel.ask_plain("queue")
    assert "GPU time on this server: 0 of 2 GPU-seconds are left" in queue.response.content


async def test_a_job_that_failed_costs_nothing(easel, admin):
    await easel.ask_plain("settings quota", admin, seconds=1)
    await easel.ask()
    easel.service.fail("The mask is blank.")
    await easel.env.settle()
    await easel.ask()
    assert await easel.count() == 2


async def test_a_job_that_was_called_off_costs_what_it_ran(easel, admin, said):
    await easel.ask_plain("settings quota", admin, seconds=3)
    await easel.ask()
    easel.service.progress(1, 20, gpu_seconds=0.2)
    easel.service.progress(9, 20, gpu_seconds=4.0)
    await easel.env.settle()
    record = await easel.only_job()
    await easel.services.dispatcher.cancel_job(record.id, record.owner)
    assert "used 4 of the 3 GPU-seconds" in said(await easel.ask())


async def test_jobs_under_way_count_with_what_they_are_thought_to_take(easel, admin, said):
    await easel.ask_plain("settings quota", admin, seconds=2.5)
    await easel.ask()
    refused = await easel.ask()  # nothing was measured yet: one at a time
    assert "your jobs under way are thought to take the rest" in said(refused)
    await easel.finish()  # one second
    for _ in range(3):
        refused = await easel.ask()
    assert "used 1 of the 2 GPU-seconds" in said(refused)
    assert len(easel.service.held) == 2  # two of a second each, the last beyond what is left


async def test_of_several_asked_for_at_once_no_more_get_in_than_may(easel, admin):
    await easel.ask_plain("settings limits", admin, max_jobs=2)
    await easel.ask()
    record = await easel.only_job()
    requests = [AnsweredRequest(record, f"at-once-{n}") for n in range(5)]
    job = decode_job(record.kind, record.params)

    answers = await asyncio.gather(
        *(easel.services.submitter.submit_rerun(each, job, record) for each in requests),
        return_exceptions=True,
    )

    assert await easel.count() == 2
    assert [type(each) for each in answers if each is not None] == [NotAllowed] * 4


async def test_jobs_that_waited_are_refused_when_the_quota_is_used_up(easel, admin, said):
    easel.service.capacity = 1
    await easel.ask()
    await easel.ask()
    await easel.ask_plain("settings quota", admin, seconds=1)
    await easel.finish()
    assert len(easel.service.submitted) == 1
    newest = easel.messages()[-1].content
    assert "no longer allowed, and cost nothing" in newest
    assert "used 1 of the 1 GPU" in newest


async def test_a_role_has_more(easel, admin, said):
    role = easel.guild.create_role("patrons")
    patron = easel.guild.add_member(easel.env.create_user("dora"), roles=[role])
    await easel.ask_plain("settings quota", admin, seconds=1)
    shown = await easel.ask_plain("settings quota", admin, seconds=100, role=role)
    assert f"GPU-seconds by role: <@&{role.id}> 100" in said(shown)
    for _ in range(2):
        await easel.ask(member=patron)
        await easel.finish()
    assert await easel.count() == 2
    lifted = await easel.ask_plain("settings quota", admin, role=role)
    assert "by role" not in said(lifted)


async def test_a_role_has_a_larger_share_of_the_queue(easel, admin, said):
    role = easel.guild.create_role("patrons")
    patron = easel.guild.add_member(easel.env.create_user("dora"), roles=[role])
    shown = await easel.ask_plain("settings share", admin, role=role, times=2)
    assert f"Share of the GPU by role: <@&{role.id}> × 2" in said(shown)
    easel.service.capacity = 1
    await easel.ask(prompt="first, so that the others wait")
    for _ in range(3):
        await easel.ask(member=patron)
        await easel.ask(member=easel.bob)

    for _ in range(5):
        await easel.finish()

    ran = [
        len(await easel.jobs.reader.list_by_owner(str(who.id), states=[JobState.DONE]))
        for who in (patron, easel.bob)
    ]
    assert ran == [3, 1]
    assert "by role" not in said(await easel.ask_plain("settings share", admin, role=role))


async def test_everyones_quota_cannot_be_nothing(easel, admin, said):
    assert "is 0 for everyone" in said(await easel.ask_plain("settings quota", admin, seconds=0))


async def test_a_dry_run_tells_what_is_left(easel, admin, said):
    await easel.ask_plain("settings quota", admin, seconds=60)
    told = await admin.slash(easel.channel, "settings try", member=easel.alice)
    assert "Yes:" in said(told)
    assert "60 of 60 GPU-seconds are left." in said(told)


async def test_how_long_results_are_kept(easel, admin, said):
    shown = await easel.ask_plain("settings keep", admin, days=7)
    assert "Days that results are kept: at most 7" in said(shown)
    settings = await easel.guilds.get_settings(str(easel.guild.id))
    assert settings[retention.KEEP_DAYS_SETTING] == 7.0  # what the host goes by
    shown = await easel.ask_plain("settings keep", admin)
    assert "Days that results are kept: as the host allows" in said(shown)


async def test_who_sees_results(easel, admin, said):
    shown = await easel.ask_plain("settings visibility", admin, results="private")
    assert "Results: for their member alone" in said(shown)
    shown = await easel.ask_plain("settings visibility", admin, results="public")
    assert "for their member alone" not in said(shown)


async def test_a_servers_defaults_hold_wherever_nothing_is_said(easel, admin, said):
    shown = await easel.ask_plain("settings defaults", admin, steps=30, batch=2)
    assert "Steps unless asked for others: 30" in said(shown)
    await easel.ask("imagine", prompt="a cat")
    params = easel.service.job.params
    assert (params["steps"], params["batch"]) == (30, 2)
    await easel.finish()
    await easel.ask("imagine", prompt="a cat", steps=9)
    assert easel.service.job.params["steps"] == 9
    await easel.finish()
    await easel.ask_plain("settings defaults", admin, steps=0)
    await easel.ask("imagine", prompt="a cat")
    assert easel.service.job.params["steps"] == 20


async def test_a_ceiling_below_a_default_refuses_nobody_who_said_nothing(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_steps=10)
    result = await easel.ask("img2img")
    assert easel.service.job.params["steps"] == 10
    await easel.finish()
    form = await press(easel.alice, result.response, label="Outpaint")
    await press(easel.alice, form.response, label="Left")
    assert (easel.service.job.kind, easel.service.job.params["steps"]) == ("outpaint", 10)
    await easel.finish()
    post = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Edit…", post)
    filled = {one["component"]["custom_id"]: one["component"] for one in shown.modal["components"]}
    assert filled["steps"]["value"] == "10"
    assert "steps is 20, but this server allows 10" in said(await easel.ask(steps=20))


async def test_a_change_is_said_before_all_else(easel, admin, said):
    words = said(await easel.ask_plain("settings limits", admin, max_steps=30)).splitlines()
    assert words[0] == "**Changed just now**"
    assert "30" in words[1]
    assert "max_steps" not in words[1]
    again = said(await easel.ask_plain("settings limits", admin, max_steps=30)).splitlines()
    assert again[0] == "Nothing was changed."
