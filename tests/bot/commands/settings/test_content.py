"""What prompts may say, from every side from which they come."""

from __future__ import annotations

import pytest

from tests.doubles.images import png


async def test_a_word_is_forbidden_for_commands_buttons_forms_and_replies(house, admin, said):
    result = await house.ask(prompt="a cat with gore")
    await house.finish()
    shown = await house.ask_plain("settings word", admin, word="gore")
    assert "Forbidden words: `gore`" in said(shown)
    words = "Your prompt says “gore”, which this server does not allow"
    assert words in said(await house.ask(prompt="a cat, g.o.r.e"))
    assert words in said(await house.alice.click(result.response, label="Again"))
    form = await house.alice.click(result.response, label="Edit")
    edited = await house.alice.submit_modal(form, {"prompt": "more GORE"})
    assert words in said(edited)
    await house.alice.send(
        house.channel,
        f"<@{house.bot.user.id}> make it gore",
        attachments=[("a.png", png())],
    )
    assert words in house.messages()[-1].content
    assert await house.count() == 1
    await house.ask(prompt="a cat", negative_prompt="gore")
    await house.ask_plain("settings word", admin, word="gore", forbid=False)
    await house.ask(prompt="a cat with gore")
    assert await house.count() == 3


async def test_a_style_is_read_with_the_prompt(house, admin, said):
    await house.ask_plain("settings word", admin, word="gore")
    await house.ask_plain("style save", name="dark", prompt="{prompt}, gore")
    assert "“gore”" in said(await house.ask(prompt="a cat", style="dark"))
    assert await house.count() == 0


async def test_a_pattern(house, admin, said):
    await house.ask_plain("settings pattern", admin, pattern=r"\bguns?\b")
    assert "“guns”" in said(await house.ask(prompt="two Guns"))
    bad = await house.ask_plain("settings pattern", admin, pattern="(?=x)")
    assert "banned_patterns has '(?=x)', which RE2 cannot run" in said(bad)


async def test_lists_are_completed(house, admin):
    for word in ("gore", "blood*"):
        await house.ask_plain("settings word", admin, word=word)
    choices = await admin.autocomplete(house.channel, "settings word", "word", "BLO")
    assert [choice["value"] for choice in choices] == ["blood*"]


async def test_loras_are_completed_from_what_there_is_and_what_is_listed(house, admin):
    await house.ask_plain("settings lora", admin, lora="gone")
    choices = await admin.autocomplete(house.channel, "settings lora", "lora", "")
    assert [choice["value"] for choice in choices] == ["gone", "lineart"]
    await house.ask_plain("settings lora", admin, lora="lineart")
    choices = await admin.autocomplete(house.channel, "settings lora", "lora", "LINE")
    assert [choice["value"] for choice in choices] == ["lineart"]


@pytest.mark.parametrize("where", ["channel", "direct message"])
async def test_minors_are_off_limits_everywhere(house, said, where):
    options = {"image": ("a.png", png()), "prompt": "a nude сhіld"}
    if where == "channel":
        result = await house.ask(**options)
    else:
        result = await house.alice.user.slash("img2img", **options)
    assert "refused on every server" in said(result)
    assert await house.count() == 0


async def test_a_dry_run_with_words(house, admin, said):
    await house.ask_plain("settings word", admin, word="gore")
    for prompt, answer in (("gore", "No."), ("a cat", "Yes:"), ("nude child", "No.")):
        told = await admin.slash(house.channel, "settings try", member=house.alice, prompt=prompt)
        assert said(told).startswith(answer)
    assert await house.count() == 0


async def test_only_some_models(house, admin, said):
    await house.ask_plain("settings model", admin, model="sdxl")
    assert "does not allow the model “starter”. It allows “sdxl”" in said(
        await house.ask(model="starter")
    )
    await house.ask()
    assert house.service.job.params["model"] == "sdxl"
    assert "starter" not in said(await house.ask_plain("models"))
    offered = await house.alice.autocomplete(house.channel, "img2img", "model", "")
    assert offered == []
    for_admins = await admin.autocomplete(house.channel, "settings model", "model", "")
    assert [choice["value"] for choice in for_admins] == ["starter"]
    await house.ask_plain("settings model", admin, model="sdxl", allow=False)
    await house.ask(model="starter")
    assert await house.count() == 2


async def test_only_some_loras(house, admin, said):
    await house.ask_plain("settings lora", admin, lora="ink")
    assert "the LoRA “other”" in said(await house.ask(prompt="a cat <lora:other:1>"))
    await house.ask(prompt="a cat <lora:ink:1>")
    assert await house.count() == 1


async def test_a_model_no_longer_allowed_when_its_turn_comes(house):
    house.service.ready = False
    await house.ask(model="starter")
    await house.guilds.change_settings(str(house.guild.id), "1", {"models": ["sdxl"]})
    await house.take_up_work()
    record = await house.only_job()
    assert (record.state, record.charged) == ("failed", 0.0)
    assert "does not allow the model “starter”" in record.error
