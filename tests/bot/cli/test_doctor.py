from __future__ import annotations

import socket

import pytest
from pydantic import SecretStr

from bot.cli import doctor
from bot.cli.checks.check_result import CheckResult
from bot.support.health import HEALTH_REPORT_FILE
from bot.support.invitation import invite_url
from bot.uploads import pool
from bot.uploads.pool import DecoderPool
from bot.uploads.sandbox import LIMITS, PROTECTIONS
from tests.doubles.discord_accounts import BOT_ID, GUILD_ID, StandInGuild, token_of

TOKEN = {"discord_token": SecretStr(token_of(BOT_ID))}


@pytest.fixture
def settings(settings, accounts):
    """Settings that lead to a Discord on which the bot is on one server."""
    accounts.guilds[GUILD_ID] = StandInGuild()
    return settings.model_copy(update={"discord_api_base": accounts.api_base})


async def test_all_is_well(call):
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 0
    assert [line for line in lines if line.startswith("FIX")] == []
    assert "ok  Models: child (diffusion)" in lines
    assert "ok  Worker: starts on cpu in none" in lines
    assert "ok  Discord token: set" in lines
    assert f"ok  Bot: easel-of-ada (application {BOT_ID}), on 1 server" in lines
    assert [
        line for line in lines if line.startswith("ok  Next download: dreamshaper-8-inpainting (")
    ]
    assert "ok  Database: none yet; it is made at the first start" in lines


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (PROTECTIONS, "strangers' pictures are confined by limits, landlock, seccomp"),
        (
            (LIMITS,),
            "strangers' pictures are confined by limits; missing: landlock (needs Linux 5.13, and "
            "py-landlock from pip), seccomp (needs Linux, the system's libseccomp, and pyseccomp "
            "from pip)",
        ),
    ],
)
async def test_what_confines_a_decoder_is_said(call, monkeypatch, held, words):
    monkeypatch.setattr(DecoderPool, "_list_protections", lambda self: held)
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 0
    assert f"ok  Decoders: {words}" in lines


async def test_a_host_that_starts_no_decoder_is_to_be_fixed(call, monkeypatch):
    monkeypatch.setattr(pool, "DECODER_MODULE", "no.such.module")
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 1
    assert "FIX Decoders: none starts" in lines


async def test_the_token_is_never_shown(call):
    _, lines = await call("doctor", changed=TOKEN)

    assert token_of(BOT_ID) not in "\n".join(lines)


async def test_a_bot_that_nobody_invited_is_to_be_fixed(call, accounts):
    accounts.guilds.clear()
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 1
    fix = lines.index("FIX Servers: none has invited the bot")
    assert f"    Invite it: {invite_url(BOT_ID)}" == lines[fix + 1]


async def test_a_card_without_a_driver_is_to_be_fixed(call, monkeypatch):
    check = CheckResult("Card", "a card of NVIDIA is there", "Install its driver.")
    monkeypatch.setattr(doctor, "check_cards", lambda cards: check)
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 1
    assert "FIX Card: a card of NVIDIA is there" in lines
    assert (await call("doctor", changed=TOKEN | {"device": "cpu"}))[0] == 0


async def test_a_missing_token_is_to_be_fixed(call):
    code, lines = await call("doctor")

    assert code == 1
    fix = lines.index("FIX Discord token: not set")
    assert "DISCORD_TOKEN" in lines[fix + 1]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("troubled", "FIX Worker: cannot start"),
        ("dies", "FIX Worker: did not start"),
    ],
)
async def test_a_worker_that_does_not_start_is_to_be_fixed(call, model, words):
    code, lines = await call("doctor", changed=TOKEN | {"model": model})

    assert code == 1
    assert words in lines


@pytest.mark.parametrize(
    ("read_only", "writable", "fix"),
    [(True, False, "Its disk is read-only"), (False, False, "This user may not write there")],
)
def test_a_data_directory_that_takes_no_writing_is_to_be_fixed(
    settings, monkeypatch, read_only, writable, fix
):
    monkeypatch.setattr(doctor, "lies_on_read_only_disk", lambda path: read_only)
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: writable)

    results = doctor.check_host(settings)

    assert fix in results[0].fix


async def test_a_damaged_database_is_to_be_fixed(call, settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "easel.sqlite3").write_bytes(b"no database" * 100)

    code, lines = await call("doctor", changed=TOKEN)

    assert code == 1
    assert "FIX Database: cannot be opened" in lines


async def test_a_sound_database_is_said(call, finished_job):
    code, lines = await call("doctor", changed=TOKEN)

    assert code == 0
    assert "ok  Database: sound; jobs: 1, unfinished: 0" in lines
    assert "ok  Pictures: 1 stored, 0 missing" in lines


async def test_models_are_listed(call):
    code, lines = await call("models", "list")

    assert code == 0
    (line,) = lines
    assert line.split() == ["diffusion", "child", "64", "px"]


async def test_models_of_a_worker_in_trouble(call, capsys):
    code, _ = await call("models", "list", changed={"model": "troubled"})

    assert code == 1


def test_a_data_directory_on_a_share_is_to_be_fixed(settings, monkeypatch):
    monkeypatch.setattr(doctor, "find_network_share", lambda path: "cifs")

    results = doctor.check_host(settings)

    assert "network share (cifs)" in results[0].fix


def test_a_backup_that_is_long_due_is_to_be_fixed(settings):
    timed = settings.model_copy(update={"backup_hours": 6.0})
    assert doctor._check_backups(settings).words == "none on a timer (EASEL_BACKUP_HOURS)"
    assert doctor._check_backups(timed).words.endswith("none yet")

    (timed.backups_path / "easel-20200101T000000Z").mkdir(parents=True)

    assert "Its log says why" in doctor._check_backups(timed).fix


async def test_the_page_and_a_port_that_is_anothers_are_said(settings):
    assert doctor._check_page(settings).words == "off (EASEL_PAGE_URL names its public address)"
    address = {"page_url": "https://easel.example", "page_port": 0}
    free = doctor._check_page(settings.model_copy(update=address))
    assert (free.words, free.fix) == (
        "https://easel.example, served from 127.0.0.1, port 0",
        "",
    )
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = settings.model_copy(update=address | {"page_port": port})
        assert "EASEL_PAGE_PORT" in doctor._check_page(taken).fix
        settings.data_dir.mkdir()
        (settings.data_dir / HEALTH_REPORT_FILE).write_text("{}")
        assert doctor._check_page(taken).words.endswith("where something listens")
        assert doctor._check_page(taken).fix == ""
