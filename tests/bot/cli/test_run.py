from __future__ import annotations

import errno
import os
import sys

import pytest

import main
from bot.app import open_core
from bot.cli.backup import write_backup
from storage.database import Database


async def test_without_a_token_it_says_where_to_put_one(settings, capsys):
    code = await main.run_command(main.build_parser().parse_args(["run"]), settings)

    assert code == 2
    assert "put DISCORD_TOKEN=… into .env" in capsys.readouterr().err
    assert not settings.data_dir.exists()


async def test_a_second_bot_on_the_same_data_is_refused(settings, capsys):
    settings.data_dir.mkdir()
    bot = settings.model_copy(update={"discord_token": main_token()})
    async with Database(settings.data_dir / "easel.sqlite3"):
        code = await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert code == 1
    assert "Stop that one first" in capsys.readouterr().err


def main_token():
    from pydantic import SecretStr

    return SecretStr("a.secret.token")


def test_impossible_settings_are_refused_by_name(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EASEL_WORKERS", "many")
    monkeypatch.setattr("sys.argv", ["main.py", "doctor"])

    assert main.main() == 2
    assert "EASEL_WORKERS" in capsys.readouterr().err


def test_no_command_is_no_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["main.py"])

    with pytest.raises(SystemExit) as end:
        main.main()

    assert end.value.code == 2


async def test_a_damaged_database_is_said_and_kept(settings, capsys):
    settings.data_dir.mkdir()
    path = settings.data_dir / "easel.sqlite3"
    path.write_bytes(b"no database" * 100)
    bot = settings.model_copy(update={"discord_token": main_token()})

    code = await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert code == 1
    said = capsys.readouterr().err
    assert "is damaged" in said and "left as it is" in said
    assert path.read_bytes() == b"no database" * 100


@pytest.mark.skipif(os.name != "posix", reason="there are no such rights")
async def test_what_is_kept_is_for_its_owner_alone(settings):
    folders = [settings.data_dir, settings.data_dir / "blobs", settings.data_dir / "outbox"]
    for folder in folders:
        folder.mkdir(mode=0o755)

    async with open_core(settings.model_copy(update={"workers": 0})) as core:
        await core.blobs.put(b"a picture")
        await write_backup(settings, settings.data_dir.with_name("backup"))

    backup = settings.data_dir.with_name("backup")
    assert {path.name: path.stat().st_mode & 0o077 for path in (*folders, backup)} == {
        "data": 0,
        "blobs": 0,
        "outbox": 0,
        "backup": 0,
    }


async def test_a_read_only_disk_is_said_at_the_start(settings, capsys, monkeypatch):
    def refuse(*arguments, **more):
        raise OSError(errno.EROFS, "words of the system")

    monkeypatch.setattr(type(settings.data_dir), "mkdir", refuse)
    bot = settings.model_copy(update={"discord_token": main_token()})

    code = await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert code == 1
    assert "The disk is read-only" in capsys.readouterr().err


async def test_a_newer_versions_database_is_refused_and_kept(settings, capsys):
    settings.data_dir.mkdir()
    path = settings.data_dir / "easel.sqlite3"
    async with Database(path) as database:
        await database.execute("INSERT INTO migration VALUES (9999, 'of tomorrow', 0)")
    bot = settings.model_copy(update={"discord_token": main_token()})

    code = await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert code == 2
    assert "Update Easel" in capsys.readouterr().err


async def test_a_missing_extra_is_refused(settings, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "bot.support.prometheus", None)
    changed = {"discord_token": main_token(), "metrics_port": 9, "workers": 0}

    code = await main.run_command(
        main.build_parser().parse_args(["run"]), settings.model_copy(update=changed)
    )

    assert code == 2
    assert "needs an extra" in capsys.readouterr().err


async def test_an_unreadable_token_file_is_refused(settings, capsys):
    bot = settings.model_copy(update={"discord_token_file": settings.data_dir / "nowhere"})

    code = await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert code == 2
    assert "nowhere cannot be read" in capsys.readouterr().err
    assert not settings.data_dir.exists()


async def test_a_data_directory_on_a_share_is_warned_of(settings, capsys, caplog, monkeypatch):
    monkeypatch.setattr("bot.cli.run.find_network_share", lambda path: "nfs4")
    settings.data_dir.mkdir()
    bot = settings.model_copy(update={"discord_token": main_token()})
    async with Database(settings.data_dir / "easel.sqlite3"):
        await main.run_command(main.build_parser().parse_args(["run"]), bot)

    assert "network share (nfs4)" in caplog.text
    assert str(settings.data_dir) in caplog.text
