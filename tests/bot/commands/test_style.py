from __future__ import annotations

import discord
import pytest

from bot.guilds.member_preferences import apply_style
from storage.guilds import PromptStyle


@pytest.mark.parametrize(
    ("style", "prompt"),
    [
        ("watercolour", "a cat, watercolour"),
        ("ink drawing of {prompt}, thin lines", "ink drawing of a cat, thin lines"),
        ("", "a cat"),
    ],
)
def test_words_go_after_or_into_the_slot(style, prompt):
    values = apply_style(
        {"prompt": "a cat"}, PromptStyle(name="x", prompt=style, negative_prompt="blur")
    )
    assert values == {"prompt": prompt, "negative_prompt": "blur"}


async def test_mine_from_saving_to_use(easel):
    await easel.ask_plain("style save", name="Ink", prompt="ink drawing of {prompt}")
    listed = await easel.ask_plain("style list")
    assert "`Ink` `ink drawing of {prompt}`" in listed.response.content
    offered = await easel.alice.autocomplete(easel.channel, "img2img", "style", "in")
    assert [choice["value"] for choice in offered] == ["Ink", "<lora:lineart:1>"]
    await easel.ask(prompt="a cat", style="ink")
    assert easel.service.job.params["prompt"] == "ink drawing of a cat"


async def test_nobody_else_has_mine(easel):
    await easel.ask_plain("style save", name="Ink", prompt="ink")
    refused = await easel.ask(member=easel.bob, style="Ink")
    assert "There is no style “Ink” here" in refused.response.content
    assert await easel.count() == 0


async def test_the_servers_needs_its_manager_and_is_for_everyone(easel):
    options = {"name": "House", "prompt": "flat colours", "server": True}
    refused = await easel.ask_plain("style save", **options)
    assert "may manage the server" in refused.response.content
    role = easel.guild.create_role("admin", permissions=discord.Permissions(manage_guild=True))
    admin = easel.guild.add_member(easel.env.create_user("carol"), roles=[role])
    await easel.ask_plain("style save", admin, **options)
    await easel.ask(prompt="a cat", style="house")
    assert easel.service.job.params["prompt"] == "a cat, flat colours"
    await easel.ask_plain("style delete", admin, name="House", server=True)
    assert "no style yet" in (await easel.ask_plain("style list")).response.content


async def test_deleting_mine_leaves_my_defaults_and_the_other_way_round(easel):
    await easel.ask_plain("defaults set", steps=9)
    await easel.ask_plain("style save", name="Ink", prompt="ink")
    assert "styles" not in (await easel.ask_plain("defaults show")).response.content
    await easel.ask_plain("defaults clear")
    assert "Ink" in (await easel.ask_plain("style list")).response.content
    await easel.ask_plain("style delete", name="Ink")
    again = await easel.ask_plain("style delete", name="Ink")
    assert "no style of that name" in again.response.content


async def test_a_style_without_words(easel):
    result = await easel.ask_plain("style save", name="Ink")
    assert "needs words" in result.response.content


async def test_a_lora_in_a_styles_place(easel):
    offered = await easel.alice.autocomplete(easel.channel, "img2img", "style", "LORA")
    assert [(one["name"], one["value"]) for one in offered] == [
        ("LoRA lineart", "<lora:lineart:1>")
    ]
    assert await easel.alice.autocomplete(easel.channel, "style delete", "name", "LORA") == []
    await easel.ask(prompt="a cat", style="<lora:lineart:0.6>")
    assert easel.service.job.params["prompt"] == "a cat, <lora:lineart:0.6>"
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"loras": ["other"]})
    assert await easel.alice.autocomplete(easel.channel, "img2img", "style", "LORA") == []
    refused = await easel.ask(prompt="a cat", style="<lora:lineart:1>")
    assert "does not allow the LoRA “lineart”" in refused.response.content
