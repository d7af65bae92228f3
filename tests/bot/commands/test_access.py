"""Whom the host serves: its lists, its owners' word, and direct messages."""

from __future__ import annotations

import discord
import pytest

from bot.errors import SettingsError
from bot.guilds.host_access import HostAccess, HostRules
from bot.settings import read_settings
from storage.guilds import AccessStore


@pytest.fixture
def said():
    def words(result):
        return (result.followups or [result.response])[-1].content

    return words


@pytest.fixture
def administrators(easel):
    return easel.guild.create_role("admin", permissions=discord.Permissions(administrator=True))


@pytest.fixture
def keeper(easel, administrators, monkeypatch):
    """An administrator of the server who owns the bot."""
    member = easel.guild.add_member(easel.env.create_user("olga"), roles=[administrators])

    async def is_owner(user):
        return user.id == member.id

    monkeypatch.setattr(easel.bot, "is_owner", is_owner)
    return member


@pytest.fixture
def rebuild(easel):
    """Serve by other settings of the host from now on."""

    async def build(**changes):
        easel.core.settings.__dict__.update(changes)  # frozen for everybody else
        await easel.restart()

    return build


async def access(easel, who, verb, **options):
    return await who.slash(easel.channel, f"access {verb}", **options)


async def test_only_the_keeper_decides(easel, keeper, administrators, said):
    admin = easel.guild.add_member(easel.env.create_user("carol"), roles=[administrators])
    for verb in ("show", "block", "allow", "remove"):
        options = {} if verb == "show" else {"member": easel.bob}
        refused = await access(easel, admin, verb, **options)
        assert "Only the keeper of this Easel" in said(refused)
    assert "nobody listed" in said(await access(easel, keeper, "show"))


async def test_a_blocked_member_reads_so_everywhere_and_is_served_again(easel, keeper, said):
    shown = await access(easel, keeper, "block", member=easel.alice)
    assert f"Members blocked: <@{easel.alice.id}>" in said(shown)
    assert "has blocked you" in said(await easel.ask())
    direct = await easel.users["alice"].slash("imagine", prompt="a cat")
    assert "has blocked you" in said(direct)
    await easel.ask(member=easel.bob)
    assert await easel.count() == 1
    assert "this Easel stores" in said(await easel.ask_plain("privacy show"))
    await access(easel, keeper, "remove", member=easel.alice)
    await easel.ask()
    assert await easel.count() == 2


async def test_what_the_keeper_said_outlives_a_restart(easel, keeper, said):
    await access(easel, keeper, "block", server=str(easel.guild.id))
    await easel.restart()
    assert "has blocked this server" in said(await easel.ask())


async def test_with_a_list_only_the_listed_are_served(easel, keeper, said):
    await access(easel, keeper, "allow", member=easel.bob)
    assert "members whom its keeper has listed" in said(await easel.ask())
    await easel.ask(member=easel.bob)
    await access(easel, keeper, "allow", member=easel.alice, server="12345678901")
    assert "servers that its keeper has listed" in said(await easel.ask())
    assert await easel.count() == 1


async def test_a_job_of_a_member_blocked_meanwhile_does_not_run(easel, keeper):
    easel.service.capacity = 1
    await easel.ask(member=easel.bob)
    await easel.ask()
    await access(easel, keeper, "block", member=easel.alice)
    await easel.finish()
    assert len(easel.service.submitted) == 1
    assert "no longer allowed, and cost nothing" in easel.messages()[-1].content


async def test_what_the_environment_lists_is_changed_there(easel, keeper, rebuild, said):
    await rebuild(blocked_members=str(easel.alice.id))
    assert "has blocked you" in said(await easel.ask())


@pytest.mark.parametrize("options", [{}, {"server": "the big one"}])
async def test_what_names_nobody_is_refused(easel, keeper, said, options):
    refused = said(await access(easel, keeper, "block", **options))
    assert "Name a" in refused or "is no server's id" in refused


async def test_direct_messages_can_be_switched_off(easel, rebuild, said):
    await rebuild(direct_messages="off")
    refused = await easel.users["alice"].slash("imagine", prompt="a cat")
    assert "not used in direct messages" in said(refused)
    await easel.ask()
    assert await easel.count() == 1


async def test_direct_messages_can_be_for_some(easel, rebuild, said):
    await rebuild(direct_message_members=f"{easel.bob.id}, 12345678901")
    refused = await easel.users["alice"].slash("imagine", prompt="a cat")
    assert "Only some members" in said(refused)
    await easel.users["bob"].slash("imagine", prompt="a cat")
    assert await easel.count() == 1


async def test_direct_messages_have_words_and_a_picture_check_of_their_own(easel, rebuild, said):
    await rebuild(direct_message_words="gore, severed head", direct_message_nsfw="block")
    alice = easel.users["alice"]
    assert "“gore”" in said(await alice.slash("imagine", prompt="some g-o-r-e"))
    result = await alice.slash("imagine", prompt="a cat")
    easel.detector.scores = [0.95]
    await easel.finish()
    assert "This result is not shown" in result.response.content
    assert result.response.attachments == []


async def test_an_id_that_is_none_is_refused_at_the_start(monkeypatch):
    monkeypatch.setenv("EASEL_BLOCKED_MEMBERS", "ada")
    with pytest.raises(SettingsError, match="EASEL_BLOCKED_MEMBERS: 'ada' is no Discord id"):
        read_settings(None)


async def test_an_owners_word_takes_nothing_from_the_environments(easel):
    rules = HostRules(listed_ids={("member", "block"): frozenset({"10001"})})
    lists = HostAccess(AccessStore(easel.core.database), rules)
    await lists.set_rule("member", "10001", "allow", "1")
    assert await lists.listed_ids("member", "block") == {"10001"}
    assert not await lists.remove_rule("member", "10002")
