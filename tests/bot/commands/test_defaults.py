from __future__ import annotations


async def test_none_at_first(easel):
    result = await easel.ask_plain("defaults show")
    assert result.ephemeral
    assert "None: Easel's own are taken." in result.response.content


async def test_my_commands_take_mine_and_nobody_elses_do(easel):
    await easel.ask_plain("defaults set", steps=9, sampler="DDIM")
    set_more = await easel.ask_plain("defaults set", strength=0.4)
    assert "sampler: `DDIM`" in set_more.response.content
    await easel.ask("img2img", steps=12)
    await easel.ask("img2img", member=easel.bob)
    mine, theirs = (job.params for job in easel.service.submitted)
    assert (mine["steps"], mine["sampler"], mine["strength"]) == (12, "DDIM", 0.4)
    assert (theirs["steps"], theirs["sampler"]) == (20, "Euler a")


async def test_clear(easel):
    await easel.ask_plain("defaults set", steps=9)
    await easel.ask_plain("defaults clear")
    await easel.ask("img2img")
    assert easel.service.job.params["steps"] == 20


async def test_nothing_given(easel):
    assert "Say which" in (await easel.ask_plain("defaults set")).response.content


async def test_they_end_with_the_rest_of_me(easel):
    await easel.ask_plain("defaults set", steps=9)
    await easel.ask_plain("privacy forget", sure="yes, delete all of it")
    assert "None" in (await easel.ask_plain("defaults show")).response.content


async def test_a_servers_ceiling_holds_for_defaults_too(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"max_steps": 10})
    await easel.ask_plain("defaults set", steps=30)
    refused = await easel.ask("img2img")
    assert "this server allows 10" in refused.response.content
