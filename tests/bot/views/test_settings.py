"""The settings panel: every select, button and form, and who may use them."""

from __future__ import annotations

import dataclasses

import discord
import pytest

from bot.guilds import GuildSettings
from bot.messages.guild_settings import CHANGE_LABELS, SETTING_LINES
from bot.views.settings import PANEL_PAGES


@pytest.fixture
def admin(easel):
    role = easel.guild.create_role("admin", permissions=discord.Permissions(manage_guild=True))
    return easel.guild.add_member(easel.env.create_user("carol"), roles=[role])


@pytest.fixture
async def panel(easel, admin):
    """The panel's message, and a way to turn to a page of it."""
    result = await easel.ask_plain("settings panel", admin)
    assert result.ephemeral

    async def turn(page):
        await admin.select(result.response, [page], custom_id="easel:panel")
        return result.response

    return turn


def ids(message) -> list[str]:
    return [item["custom_id"] for row in message.components for item in row["components"]]


async def settings(easel) -> dict:
    return await easel.guilds.get_settings(str(easel.guild.id))


async def fill(admin, message, form, values):
    shown = await admin.click(message, custom_id=f"easel:form:{form}")
    return await admin.submit_modal(shown, values)


PAGES = {
    "access": ["channels", "roles", "log_channel"],
    "answers": ["language", "visibility"],
    "amounts": ["role_quotas", "role_shares", "ceilings", "defaults", "queue"],
    "content": ["models", "words"],
    "pictures": ["nsfw_ordinary", "nsfw_restricted", "threshold"],
}


@pytest.mark.parametrize("page", PAGES)
async def test_each_page_has_its_settings(panel, page):
    message = await panel(page)
    assert [one.rpartition(":")[2] for one in ids(message)] == ["panel", *PAGES[page]]


async def test_channels_and_roles(easel, admin, panel):
    role = easel.guild.create_role("artists")
    log = easel.guild.create_text_channel("log")
    message = await panel("access")
    await admin.select(message, [easel.channel], custom_id="easel:setting:access:channels")
    await admin.select(message, [role], custom_id="easel:setting:access:roles")
    await admin.select(message, [log], custom_id="easel:setting:access:log_channel")
    assert await settings(easel) == {
        "channels": [str(easel.channel.id)],
        "roles": [str(role.id)],
        "log_channel": str(log.id),
    }
    assert f"Channels: <#{easel.channel.id}>" in message.content
    await admin.select(message, [], custom_id="easel:setting:access:channels")
    await admin.select(message, [], custom_id="easel:setting:access:log_channel")
    assert await settings(easel) == {"roles": [str(role.id)]}


async def test_models(easel, admin, panel):
    message = await panel("content")
    await admin.select(message, ["starter"], custom_id="easel:setting:content:models")
    assert (await settings(easel))["models"] == ["starter"]


async def test_pictures(easel, admin, panel):
    message = await panel("pictures")
    await admin.select(message, ["block"], custom_id="easel:setting:pictures:nsfw_ordinary")
    await admin.select(message, ["spoiler"], custom_id="easel:setting:pictures:nsfw_restricted")
    await fill(admin, message, "threshold", {"nsfw_threshold": "0,6"})
    assert await settings(easel) == {
        "nsfw_ordinary": "block",
        "nsfw_restricted": "spoiler",
        "nsfw_threshold": 0.6,
    }
    await admin.select(message, ["unchecked"], custom_id="easel:setting:pictures:nsfw_ordinary")
    assert "nsfw_ordinary" not in await settings(easel)


async def test_numbers_are_set_and_taken_back_by_a_form(easel, admin, panel):
    message = await panel("amounts")
    await fill(admin, message, "ceilings", {"max_steps": "30", "max_megapixels": "1.5"})
    await fill(admin, message, "queue", {"quota": "600"})
    assert await settings(easel) == {"max_steps": 30, "max_megapixels": 1.5, "quota": 600.0}
    assert "Steps: at most 30" in message.content
    await fill(admin, message, "ceilings", {"max_steps": "", "max_megapixels": "1.5"})
    assert "max_steps" not in await settings(easel)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_steps": "many"}, "max_steps must be a number, not “many”"),
        ({"max_steps": "0"}, "1 to 150"),
        ({"max_batch": "2.5"}, "whole number"),
        ({"max_steps": "30", "max_loops": "-1"}, "1 to 32"),
    ],
)
async def test_a_wrong_number_changes_nothing(easel, admin, panel, values, words):
    refused = await fill(admin, await panel("amounts"), "ceilings", values)
    assert words in refused.response.content.replace("\\", "")
    assert refused.response.ephemeral
    assert await settings(easel) == {}


async def test_a_roles_quota(easel, admin, panel):
    role = easel.guild.create_role("patrons")
    message = await panel("amounts")
    shown = await admin.select(message, [role], custom_id="easel:setting:amounts:role_quotas")
    await admin.submit_modal(shown, {"role_quotas": "3600"})
    assert await settings(easel) == {"role_quotas": {str(role.id): 3600.0}}
    shown = await admin.select(message, [role], custom_id="easel:setting:amounts:role_quotas")
    await admin.submit_modal(shown, {"role_quotas": ""})
    assert await settings(easel) == {}


async def test_a_roles_share(easel, admin, panel):
    role = easel.guild.create_role("patrons")
    message = await panel("amounts")
    shown = await admin.select(message, [role], custom_id="easel:setting:amounts:role_shares")
    await admin.submit_modal(shown, {"role_shares": "2"})
    assert await settings(easel) == {"role_shares": {str(role.id): 2.0}}


async def test_lists_have_one_entry_a_line(easel, admin, panel):
    message = await panel("content")
    words = {"banned_words": "gore\n\n blood* ", "banned_patterns": r"\bgun", "loras": "ink"}
    await fill(admin, message, "words", words)
    assert await settings(easel) == {
        "banned_words": ["gore", "blood*"],
        "banned_patterns": [r"\bgun"],
        "loras": ["ink"],
    }
    refused = await fill(admin, message, "words", {**words, "banned_patterns": "("})
    assert "a pattern that cannot be read" in refused.response.content


async def test_it_works_after_a_restart(easel, admin, panel):
    message = await panel("pictures")
    await easel.restart()
    await admin.select(message, ["hold"], custom_id="easel:setting:pictures:nsfw_ordinary")
    assert await settings(easel) == {"nsfw_ordinary": "hold"}


async def test_who_no_longer_manages_the_server_changes_nothing(easel, admin, panel):
    message = await panel("pictures")
    (role,) = easel.env.backend.get_member(easel.guild.id, admin.id).role_ids
    easel.env.backend.remove_member_role(easel.guild.id, admin.id, role)
    for press in (
        admin.select(message, ["block"], custom_id="easel:setting:pictures:nsfw_ordinary"),
        admin.select(message, ["access"], custom_id="easel:panel"),
        admin.click(message, custom_id="easel:form:threshold"),
    ):
        refused = await press
        assert "Only who may manage this server" in refused.response.content
    assert await settings(easel) == {}


async def test_a_list_too_long_for_a_select_is_left_to_the_commands(easel, panel):
    many = [str(10_000 + n) for n in range(26)]
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"channels": many})
    assert "easel:setting:access:channels" not in ids(await panel("access"))


async def test_the_panel_shows_the_settings_of_its_page_alone(easel, admin, panel):
    await easel.ask_plain("settings nsfw", admin, ordinary="unchecked", age_restricted="spoiler")
    shown = {page: (await panel(page)).content for page in PAGES}
    assert "Channels: all" in shown["access"]
    assert [page for page, words in shown.items() if "Steps" in words] == ["amounts"]
    assert [page for page, words in shown.items() if "age-restricted" in words] == ["pictures"]


def test_no_change_is_told_by_the_key_of_its_setting():
    assert CHANGE_LABELS.keys() == {field.name for field in dataclasses.fields(GuildSettings)}
    assert SETTING_LINES.keys() == PANEL_PAGES.keys()
