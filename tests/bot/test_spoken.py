"""Who is answered in which language: members in their own, channels in their server's."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.requests.reply_target import ReplyTarget
from tests.bot.commands.mentions.test_listener import says
from tests.doubles.cards import labels, press
from tests.doubles.images import png

CODES = {language: locale.value for locale, language in LANGUAGES_BY_LOCALE.items()} | {
    "en": "en-US"
}


@pytest.fixture
def speaks(monkeypatch):
    """Give members, and servers, a language in Discord."""
    told: dict[str, str] = {}
    read = discord.Interaction._from_data

    def from_data(interaction: Any, data: Any) -> None:
        member = data.get("member") or data
        locale = told.get(member["user"]["id"], "en-US")
        there = {"guild_locale": told.get(data["guild_id"], "en-US")} if "guild_id" in data else {}
        read(interaction, {**data, "locale": locale, **there})

    monkeypatch.setattr(discord.Interaction, "_from_data", from_data)

    def speak(who: Any, language: str) -> None:
        told[str(who.id)] = CODES[language]

    return speak


@pytest.fixture
def admin(easel):
    role = easel.guild.create_role("admin", permissions=discord.Permissions(manage_guild=True))
    return easel.guild.add_member(easel.env.create_user("carol"), roles=[role])


@pytest.mark.parametrize(
    ("language", "running", "button"),
    [
        ("de", "**img2img** für", "Nochmal"),
        ("ja", "さんの **img2img**", "もう一度"),
        ("zh-CN", "的 **图生图**", "再来一次"),
    ],
)
async def test_a_card_speaks_the_servers_language_to_its_end(
    easel, speaks, language, running, button
):
    speaks(easel.guild, language)
    speaks(easel.alice, "en")
    result = await easel.ask("img2img", prompt="a red apple")
    assert running in result.response.content
    await easel.finish()
    assert button in labels(result.response.message)


async def test_a_refusal_speaks_the_members_language(easel, speaks):
    speaks(easel.alice, "de")
    result = await easel.ask_plain("cancel")
    assert result.ephemeral
    assert result.response.content == "Von dir wartet oder läuft nichts."
    result = await easel.ask("img2img", image=("a.pdf", b"%PDF-1.7"))
    assert "a.pdf ist kein Bild, sondern ein PDF-Dokument." in result.followups[-1].content


async def test_the_language_is_the_same_after_a_restart(easel, speaks):
    speaks(easel.guild, "ja")
    result = await easel.ask("img2img", prompt="a red apple")
    record = await easel.only_job()
    assert ReplyTarget.from_json(record.reply_to).language == "ja"
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    await easel.restart()
    await easel.env.settle()
    assert "シード" in result.response.content


async def test_a_failure_is_told_in_the_cards_language(easel, speaks):
    speaks(easel.guild, "de")
    result = await easel.ask("img2img", prompt="a red apple")
    easel.service.fail("The mask has no white pixel, so nothing would change: paint the area to "
                       "change white, or choose “not masked”.")  # fmt: skip
    await easel.env.settle()
    assert "Die Maske hat kein weißes Pixel" in result.response.content
    assert "Noch einmal versuchen" in labels(result.response.message)


async def test_a_server_may_choose(easel, speaks, admin):
    speaks(admin, "de")
    result = await easel.ask_plain("settings language", admin, language="ja")
    assert "Sprache: 日本語" in result.response.content
    shown = await easel.ask("img2img", prompt="a red apple")
    assert "さんの **img2img**" in shown.response.content
    await easel.ask_plain("settings language", admin, language="automatic")
    shown = await easel.ask("img2img", member=easel.bob)
    assert "**img2img** for" in shown.response.content


async def test_the_panel_chooses_it_too(easel, speaks, admin):
    speaks(admin, "zh-CN")
    panel = await easel.ask_plain("settings panel", admin)
    await admin.select(panel.response, ["answers"], custom_id="easel:panel")
    await admin.select(panel.response, ["de"], custom_id="easel:setting:answers:language")
    assert await easel.guilds.get_settings(str(easel.guild.id)) == {"language": "de"}
    assert "语言：Deutsch" in panel.response.content


async def test_private_results_speak_the_members_language(easel, speaks):
    speaks(easel.guild, "ja")
    speaks(easel.alice, "de")
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"visibility": "private"})
    result = await easel.ask("img2img", prompt="a red apple")
    assert result.ephemeral
    assert "**img2img** für" in result.response.content
    await easel.finish()
    assert "Nochmal" in labels(result.response.message)


async def test_buttons_and_forms_speak_the_language_of_who_presses(easel, speaks):
    speaks(easel.alice, "de")
    result = await easel.ask("img2img", prompt="a red apple")
    await easel.finish()
    message = result.response.message
    shown = await press(easel.alice, message, label="Edit")
    assert shown.modal["title"] == "Bearbeiten: img2img"
    named = [item["label"] for item in shown.modal["components"]]
    assert named[:3] == ["Prompt", "Negativer Prompt", "Denoising-Stärke"]
    wrong = await easel.alice.submit_modal(shown, {"steps": "viele"})
    assert wrong.response.content == "„schritte“ muss eine ganze Zahl sein, nicht „viele“."
    speaks(easel.bob, "ja")
    other = await press(easel.bob, message, label="Again")
    assert f"それは <@{easel.alice.id}> さんのものです。" in other.response.content


async def test_completions_speak_the_members_language(easel, speaks):
    speaks(easel.alice, "de")
    found = await easel.alice.autocomplete(easel.channel, "inpaint", "mask_shape", "subject")
    assert found[0]["name"] == "subject – das Motiv"


@pytest.mark.parametrize("topic", ["start", "buttons"])
async def test_help_speaks_the_members_language(easel, speaks, topic):
    speaks(easel.alice, "zh-CN")
    result = await easel.ask_plain("help", topic=topic)
    assert "`/队列`" in result.response.content


async def test_direct_messages_speak_the_members_language(easel, speaks):
    user = easel.users["alice"]
    speaks(user, "ja")
    result = await user.slash("img2img", image=("photo.png", png()))
    assert "さんの **img2img**" in result.response.content


async def test_replies_and_the_log_speak_the_servers_language(easel, speaks, admin):
    log = easel.guild.create_text_channel("log")
    settings = {"language": "de", "log_channel": str(log.id)}
    await easel.guilds.change_settings(str(easel.guild.id), "1", settings)
    await says(easel, "help")
    assert easel.messages()[-1].content.startswith("Antworte auf ein Bild")
    await says(easel, "describe")
    assert easel.messages()[-1].content.startswith("Es gibt kein Bild")
    await easel.ask("imagine", prompt="a nude child")
    assert log.history()[-1].content.startswith(f"<@{easel.alice.id}> wurde abgewiesen")
