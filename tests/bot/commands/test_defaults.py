from __future__ import annotations


async def test_none_at_first(house):
    result = await house.ask_plain("defaults show")
    assert result.ephemeral
    assert "None: Easel's own are taken." in result.response.content


async def test_my_commands_take_mine_and_nobody_elses_do(house):
    await house.ask_plain("defaults set", steps=9, sampler="DDIM")
    set_more = await house.ask_plain("defaults set", strength=0.4)
    assert "sampler: `DDIM`" in set_more.response.content
    await house.ask("img2img", steps=12)
    await house.ask("img2img", member=house.bob)
    mine, theirs = (job.params for job in house.service.submitted)
    assert (mine["steps"], mine["sampler"], mine["strength"]) == (12, "DDIM", 0.4)
    assert (theirs["steps"], theirs["sampler"]) == (20, "Euler a")


async def test_clear(house):
    await house.ask_plain("defaults set", steps=9)
    await house.ask_plain("defaults clear")
    await house.ask("img2img")
    assert house.service.job.params["steps"] == 20


async def test_nothing_given(house):
    assert "Say which" in (await house.ask_plain("defaults set")).response.content


async def test_they_end_with_the_rest_of_me(house):
    await house.ask_plain("defaults set", steps=9)
    await house.ask_plain("privacy forget", sure="yes, delete all of it")
    assert "None" in (await house.ask_plain("defaults show")).response.content


async def test_a_servers_ceiling_holds_for_defaults_too(house):
    await house.guilds.change_settings(str(house.guild.id), "1", {"max_steps": 10})
    await house.ask_plain("defaults set", steps=30)
    refused = await house.ask("img2img")
    assert "this server allows 10" in refused.response.content
