"""Whose a token is and what its bot may do, asked of a stand-in for Discord's REST."""

from __future__ import annotations

import discord
import pytest
from pydantic import SecretStr

from bot.cli.checks.discord_account import apply_overwrites, read_account
from bot.cli.checks.discord_check import check_discord
from bot.errors import DiscordUnreachable, TokenRefused
from bot.settings import Settings
from bot.support.invitation import invite_url, needed_permissions
from bot.support.redaction import redact_secrets
from tests.doubles.discord_accounts import (
    ADMINISTRATOR,
    BOT_ID,
    EVERYTHING,
    GUILD_ID,
    OTHER_BOT_ID,
    ROLE_ID,
    StandInGuild,
    serve_accounts,
    token_of,
)

SEND = discord.Permissions(send_messages=True).value
FILES = discord.Permissions(attach_files=True).value
VIEW = discord.Permissions(view_channel=True).value
TEXT, VOICE = 0, 2


@pytest.fixture
def look(accounts):
    async def look(token=accounts.token):
        settings = Settings(
            _env_file=None, discord_token=SecretStr(token), discord_api_base=accounts.api_base
        )
        return {
            f"{check.subject}: {check.words}": check.fix for check in await check_discord(settings)
        }

    return look


async def test_a_token_tells_its_bot_and_application(accounts):
    accounts.guilds[GUILD_ID] = StandInGuild()
    account = await read_account(accounts.token, accounts.api_base)
    assert (account.application_id, account.bot_id, account.bot_name) == (
        BOT_ID,
        BOT_ID,
        "easel-of-ada",
    )
    assert [guild.name for guild in account.guilds] == ["Brushes"]


async def test_a_token_that_discord_does_not_know_is_refused(accounts):
    with pytest.raises(TokenRefused, match=r"does not know this token.*Reset Token"):
        await read_account(token_of(OTHER_BOT_ID), accounts.api_base)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("a" * 32, "client secret"),
        ("0f" * 32, "public key"),
        ("123456789012345678", "an id, not a token"),
        ("Bot " + token_of(BOT_ID), "Leave out the word Bot"),
        ("hello", "not of the form of a bot's token"),
        ("", "not of the form of a bot's token"),
    ],
)
async def test_what_is_no_token_is_refused_unasked(accounts, token, words):
    with pytest.raises(TokenRefused, match=words):
        await read_account(token, accounts.api_base)
    assert accounts.requests == []


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_a_discord_in_trouble_is_no_wrong_token(accounts, status):
    accounts.status = status
    with pytest.raises(DiscordUnreachable, match=f"answered with {status}"):
        await read_account(accounts.token, accounts.api_base)


async def test_no_discord_at_all_is_said():
    with serve_accounts() as server:
        address = server.api_base
    with pytest.raises(DiscordUnreachable, match=r"cannot be reached at .* check the network"):
        await read_account(token_of(BOT_ID), address)


async def test_nobodys_server_gets_the_link_that_invites(look):
    assert (await look())["Servers: none has invited the bot"] == f"Invite it: {invite_url(BOT_ID)}"


async def test_what_a_server_lacks_is_named_with_the_link_that_adds_it(accounts, look):
    accounts.guilds[GUILD_ID] = StandInGuild(everyone=EVERYTHING & ~FILES, role=0)
    fix = (await look())["Server Brushes: the bot lacks Attach Files"]
    assert fix.endswith(invite_url(BOT_ID, GUILD_ID))
    assert f"guild_id={GUILD_ID}&disable_guild_select=true" in fix


async def test_what_a_channel_takes_away_is_named(accounts, look):
    guild = accounts.guilds[GUILD_ID] = StandInGuild()
    guild.channels = [
        ("art", TEXT, [(ROLE_ID, 0, FILES)]),
        ("rules", TEXT, [(GUILD_ID, 0, SEND)]),
        ("staff", TEXT, [(ROLE_ID, 0, VIEW)]),
        ("voice", VOICE, [(ROLE_ID, 0, FILES)]),
        ("free", TEXT, []),
    ]
    (words,) = [words for words in await look() if words.startswith("Server")]
    assert words == "Server Brushes: channels take something from the bot: #art: Attach Files"


async def test_many_channels_are_counted(accounts, look):
    guild = accounts.guilds[GUILD_ID] = StandInGuild()
    guild.channels = [(f"c{number}", TEXT, [(ROLE_ID, 0, FILES)]) for number in range(8)]
    (words,) = [words for words in await look() if words.startswith("Server")]
    assert words.endswith("#c4: Attach Files; and 3 more")


async def test_an_administrator_lacks_nothing(accounts, look):
    accounts.guilds[GUILD_ID] = StandInGuild(
        everyone=0, role=ADMINISTRATOR, channels=[("art", TEXT, [(ROLE_ID, 0, FILES)])]
    )
    assert [words for words in await look() if words.startswith("Server")] == []


async def test_a_code_grant_is_to_be_switched_off(accounts, look):
    accounts.application["bot_require_code_grant"] = True
    (fix,) = [fix for words, fix in (await look()).items() if words.startswith("Bot: ")]
    assert "Requires OAuth2 Code Grant" in fix


async def test_a_wrong_token_and_a_silent_discord_are_findings(accounts, look):
    assert (
        "does not know" in (await look(token_of(OTHER_BOT_ID)))["Discord: does not take the token"]
    )
    accounts.status = 503
    assert "503" in (await look())["Discord: does not answer"]


def test_without_a_token_discord_is_not_asked(accounts):
    assert accounts.requests == []


@pytest.mark.parametrize(
    ("overwrites", "allowed"),
    [
        ([], True),
        ([(1, 0, SEND)], False),
        ([(1, 0, SEND), (2, SEND, 0)], True),
        ([(2, 0, SEND), (3, SEND, 0)], True),  # roles' allowing goes before their denying
        ([(2, SEND, 0), (9, 0, SEND)], False),
        ([(2, 0, SEND), (9, SEND, 0)], True),
        ([(7, 0, SEND)], True),  # a role that the bot has not
    ],
)
def test_overwrites_hold_in_discords_order(overwrites, allowed):
    everyone, own_roles, member = 1, {1, 2, 3}, 9
    entries = [{"id": str(i), "allow": str(a), "deny": str(d)} for i, a, d in overwrites]
    base = discord.Permissions(EVERYTHING)
    there = apply_overwrites(base, entries, everyone, own_roles, member)
    assert there.send_messages is allowed


def test_the_link_survives_what_takes_secrets_out():
    link = invite_url(BOT_ID, GUILD_ID)
    assert redact_secrets(link) == link
    assert f"permissions={needed_permissions().value}" in link
