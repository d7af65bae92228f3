"""Ceilings, queues and quotas."""

from __future__ import annotations

from bot import retention
from storage.records import JobState
from tests.doubles.images import png


async def test_the_whole_servers_queue(house, admin, said):
    await house.ask_plain("settings limits", admin, max_server_jobs=1)
    await house.ask()
    refused = await house.ask(member=house.bob)
    assert "This server has 1 jobs under way and allows 1" in said(refused)
    await house.finish()
    await house.ask(member=house.bob)
    assert await house.count() == 2


async def test_a_quota_is_charged_from_what_ran(house, admin, said):
    await house.ask_plain("settings quota", admin, seconds=1.5)
    for _ in range(2):
        await house.ask()
        await house.finish()  # the worker measured one second
    refused = await house.ask()
    assert "used 2 of the 2 GPU-seconds" in said(refused)
    assert "0 remain. The next come back <t:" in said(refused)
    await house.ask(member=house.bob)
    assert await house.count() == 3
    queue = await house.ask_plain("queue")
    assert "GPU time on this server: 0 of 2 GPU-seconds are left" in queue.response.content


async def test_a_job_that_failed_costs_nothing(house, admin):
    await house.ask_plain("settings quota", admin, seconds=1)
    await house.ask()
    house.service.fail("The mask is blank.")
    await house.env.settle()
    await house.ask()
    assert await house.count() == 2


async def test_jobs_that_waited_are_refused_when_the_quota_is_used_up(house, admin, said):
    house.service.capacity = 1
    await house.ask_plain("settings quota", admin, seconds=1)
    await house.ask()
    await house.ask()
    await house.finish()
    assert len(house.service.submitted) == 1
    newest = house.messages()[-1].content
    assert "no longer allowed, and cost nothing" in newest
    assert "used 1 of the 1 GPU" in newest


async def test_a_role_has_more(house, admin, said):
    role = house.guild.create_role("patrons")
    patron = house.guild.add_member(house.env.create_user("dora"), roles=[role])
    await house.ask_plain("settings quota", admin, seconds=1)
    shown = await house.ask_plain("settings quota", admin, seconds=100, role=role)
    assert f"GPU-seconds by role: <@&{role.id}> 100" in said(shown)
    for _ in range(2):
        await house.ask(member=patron)
        await house.finish()
    assert await house.count() == 2
    lifted = await house.ask_plain("settings quota", admin, role=role)
    assert "by role" not in said(lifted)


async def test_a_role_has_a_larger_share_of_the_queue(house, admin, said):
    role = house.guild.create_role("patrons")
    patron = house.guild.add_member(house.env.create_user("dora"), roles=[role])
    shown = await house.ask_plain("settings share", admin, role=role, times=2)
    assert f"Share of the GPU by role: <@&{role.id}> × 2" in said(shown)
    house.service.capacity = 1
    await house.ask(prompt="first, so that the others wait")
    for _ in range(3):
        await house.ask(member=patron)
        await house.ask(member=house.bob)

    for _ in range(5):
        await house.finish()

    ran = [
        len(await house.jobs.reader.list_by_owner(str(who.id), states=[JobState.DONE]))
        for who in (patron, house.bob)
    ]
    assert ran == [3, 1]
    assert "by role" not in said(await house.ask_plain("settings share", admin, role=role))


async def test_everyones_quota_cannot_be_nothing(house, admin, said):
    assert "is 0 for everyone" in said(await house.ask_plain("settings quota", admin, seconds=0))


async def test_a_dry_run_tells_what_is_left(house, admin, said):
    await house.ask_plain("settings quota", admin, seconds=60)
    told = await admin.slash(house.channel, "settings try", member=house.alice)
    assert "Yes:" in said(told)
    assert "60 of 60 GPU-seconds are left." in said(told)


async def test_how_long_results_are_kept(house, admin, said):
    shown = await house.ask_plain("settings keep", admin, days=7)
    assert "Days that results are kept: at most 7" in said(shown)
    settings = await house.guilds.get_settings(str(house.guild.id))
    assert settings[retention.KEEP_DAYS_SETTING] == 7.0  # what the house goes by
    shown = await house.ask_plain("settings keep", admin)
    assert "Days that results are kept: as the host allows" in said(shown)


async def test_who_sees_results(house, admin, said):
    shown = await house.ask_plain("settings visibility", admin, results="private")
    assert "Results: for their member alone" in said(shown)
    shown = await house.ask_plain("settings visibility", admin, results="public")
    assert "for their member alone" not in said(shown)


async def test_a_servers_defaults_hold_wherever_nothing_is_said(house, admin, said):
    shown = await house.ask_plain("settings defaults", admin, steps=30, batch=2)
    assert "Steps unless asked for others: 30" in said(shown)
    await house.ask("imagine", prompt="a cat")
    params = house.service.job.params
    assert (params["steps"], params["batch"]) == (30, 2)
    await house.finish()
    await house.ask("imagine", prompt="a cat", steps=9)
    assert house.service.job.params["steps"] == 9
    await house.finish()
    await house.ask_plain("settings defaults", admin, steps=0)
    await house.ask("imagine", prompt="a cat")
    assert house.service.job.params["steps"] == 20


async def test_a_ceiling_below_a_default_refuses_nobody_who_said_nothing(house, admin, said):
    await house.ask_plain("settings limits", admin, max_steps=10)
    result = await house.ask("img2img")
    assert house.service.job.params["steps"] == 10
    await house.finish()
    form = await house.alice.click(result.response, label="Outpaint")
    await house.alice.click(form.response, label="Left")
    assert (house.service.job.kind, house.service.job.params["steps"]) == ("outpaint", 10)
    await house.finish()
    post = await house.posted(("photo.png", png()))
    shown = await house.menu("Edit…", post)
    filled = {one["component"]["custom_id"]: one["component"] for one in shown.modal["components"]}
    assert filled["steps"]["value"] == "10"
    assert "steps is 20, but this server allows 10" in said(await house.ask(steps=20))
