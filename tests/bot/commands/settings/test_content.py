"""What prompts may say, from every side from which they come."""

from __future__ import annotations

import pytest

from inference.api.messages import ModelInfo
from tests.doubles.images import png


async def test_a_word_is_forbidden_for_commands_buttons_forms_and_replies(easel, admin, said):
    result = await easel.ask(prompt="a cat with gore")
    await easel.finish()
    shown = await easel.ask_plain("settings word", admin, word="gore")
    assert "Forbidden words: `gore`" in said(shown)
    words = "Your prompt says “gore”, which this server does not allow"
    assert words in said(await easel.ask(prompt="a cat, g.o.r.e"))
    assert words in said(await easel.alice.click(result.response, label="Again"))
    form = await easel.alice.click(result.response, label="Edit")
    edited = await easel.alice.submit_modal(form, {"prompt": "more GORE"})
    assert words in said(edited)
    await easel.alice.send(
        easel.channel,
        f"<@{easel.bot.user.id}> make it gore",
        attachments=[("a.png", png())],
    )
    assert words in easel.messages()[-1].content
    assert await easel.count() == 1
    await easel.ask(prompt="a cat", negative_prompt="gore")
    await easel.ask_plain("settings word", admin, word="gore", forbid=False)
    await easel.ask(prompt="a cat with gore")
    assert await easel.count() == 3


async def test_a_negative_prompt_that_would_be_drawn_is_read(easel, admin, said):
    await easel.ask_plain("settings word", admin, word="gore")
    asked = await easel.ask("imagine", prompt="a cat :0.1", negative_prompt="gore")
    assert "Your prompt says “gore”" in said(asked)
    asked = await easel.ask("imagine", prompt="a cat :0", negative_prompt="hat")
    assert "leaves nothing but the negative prompt" in said(asked)
    assert await easel.count() == 0


async def test_words_that_a_seed_draws_are_read_before_they_are_queued(easel, admin, said):
    easel.settings.wordlists_path.mkdir()
    (easel.settings.wordlists_path / "what.txt").write_text("gore\n")
    await easel.ask_plain("settings word", admin, word="gore")
    assert "Your prompt says “gore”" in said(await easel.ask(prompt="a cat, __what__"))
    assert await easel.count() == 0


async def test_a_style_is_read_with_the_prompt(easel, admin, said):
    await easel.ask_plain("settings word", admin, word="gore")
    await easel.ask_plain("style save", name="dark", prompt="{prompt}, gore")
    assert "“gore”" in said(await easel.ask(prompt="a cat", style="dark"))
    assert await easel.count() == 0


async def test_a_pattern(easel, admin, said):
    await easel.ask_plain("settings pattern", admin, pattern=r"\bguns?\b")
    assert "“guns”" in said(await easel.ask(prompt="two Guns"))
    bad = await easel.ask_plain("settings pattern", admin, pattern="(?=x)")
    assert "banned_patterns has a pattern that cannot be read, '(?=x)'" in said(bad).replace(
        "\\", ""
    )


async def test_lists_are_completed(easel, admin):
    for word in ("gore", "blood*"):
        await easel.ask_plain("settings word", admin, word=word)
    choices = await admin.autocomplete(easel.channel, "settings word", "word", "BLO")
    assert [choice["value"] for choice in choices] == ["blood*"]


async def test_loras_are_completed_from_what_there_is_and_what_is_listed(easel, admin):
    await easel.ask_plain("settings lora", admin, lora="gone")
    choices = await admin.autocomplete(easel.channel, "settings lora", "lora", "")
    assert [choice["value"] for choice in choices] == ["gone", "lineart"]
    await easel.ask_plain("settings lora", admin, lora="lineart")
    choices = await admin.autocomplete(easel.channel, "settings lora", "lora", "LINE")
    assert [choice["value"] for choice in choices] == ["lineart"]


@pytest.mark.parametrize("where", ["channel", "direct message"])
async def test_minors_are_off_limits_everywhere(easel, said, where):
    options = {"image": ("a.png", png()), "prompt": "a nude сhіld"}
    if where == "channel":
        result = await easel.ask(**options)
    else:
        result = await easel.alice.user.slash("img2img", **options)
    assert "refused on every server" in said(result)
    assert await easel.count() == 0


async def test_a_dry_run_with_words(easel, admin, said):
    await easel.ask_plain("settings word", admin, word="gore")
    for prompt, answer in (("gore", "No."), ("a cat", "Yes:"), ("nude child", "No.")):
        told = await admin.slash(easel.channel, "settings try", member=easel.alice, prompt=prompt)
        assert said(told).startswith(answer)
    assert await easel.count() == 0


async def test_only_some_models(easel, admin, said):
    sdxl = ModelInfo(name="sdxl", kind="diffusion", size=1024)
    easel.service.models = (*easel.service.models, sdxl)
    await easel.ask_plain("settings model", admin, model="sdxl")
    assert "does not allow the model “starter”. It allows “sdxl”" in said(
        await easel.ask(model="starter")
    )
    await easel.ask()
    assert easel.service.job.params["model"] == "sdxl"
    assert "starter" not in said(await easel.ask_plain("models"))
    offered = await easel.alice.autocomplete(easel.channel, "img2img", "model", "")
    assert [choice["value"] for choice in offered] == ["sdxl"]
    for_admins = await admin.autocomplete(easel.channel, "settings model", "model", "")
    assert [choice["value"] for choice in for_admins] == ["sdxl", "starter"]
    await easel.ask_plain("settings model", admin, model="sdxl", allow=False)
    await easel.ask(model="starter")
    assert await easel.count() == 2


async def test_only_some_loras(easel, admin, said):
    ink = ModelInfo(name="ink", kind="lora", size=0)
    easel.service.models = (*easel.service.models, ink)
    await easel.ask_plain("settings lora", admin, lora="ink")
    assert "the LoRA “other”" in said(await easel.ask(prompt="a cat <lora:other:1>"))
    await easel.ask(prompt="a cat <lora:ink:1>")
    assert await easel.count() == 1


async def test_a_model_no_longer_allowed_when_its_turn_comes(easel):
    easel.service.ready = False
    await easel.ask(model="starter")
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"models": ["sdxl"]})
    await easel.take_up_work()
    record = await easel.only_job()
    assert (record.state, record.charged) == ("failed", 0.0)
    assert "does not allow the model “starter”" in record.error


async def test_a_check_that_the_host_cannot_do_is_warned_of_and_costs_nothing(easel, admin, said):
    easel.detector.present = False
    warned = said(await easel.ask_plain("settings nsfw", admin, ordinary="block"))
    assert "No picture check is installed on this host" in warned
    result = await easel.ask("imagine", prompt="a cat")
    assert "the check does not work at the moment" in said(result)
    assert easel.service.submitted == []
    easel.detector.present = True
    fine = said(await easel.ask_plain("settings nsfw", admin, ordinary="hold"))
    assert "No picture check" not in fine
