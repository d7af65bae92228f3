from __future__ import annotations

import sys

import pytest

from bot.hosting import updates
from bot.hosting.updates import changes_since, note_version, read_noted_version, update_command
from bot.support.version import find_version
from storage.database import Database

CHANGELOG = """# Changelog

## Unreleased

- Newest.

## [0.3.0] - 2026-11-01

- Newer.

## 0.2.0

- Older.
"""


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0.2.0", ["Newest", "Newer"]),
        ("0.3.0", ["Newest"]),
        ("0.1.0", ["Newest", "Newer", "Older"]),
        (None, ["Newest", "Newer", "Older"]),
    ],
)
def test_what_changed_since_a_version_is_said(version, words):
    changes = changes_since(CHANGELOG, version)

    assert [word for word in ("Newest", "Newer", "Older") if word in changes] == words


def test_the_version_is_noted_and_read(tmp_path):
    assert read_noted_version(tmp_path) is None
    note_version(tmp_path / "nowhere", "1.0")

    note_version(tmp_path, "1.0")

    assert read_noted_version(tmp_path) == "1.0"


async def test_an_up_to_date_database_needs_no_migration(call, settings):
    settings.data_dir.mkdir()
    async with Database(settings.data_dir / "easel.sqlite3"):
        pass
    note_version(settings.data_dir, "0.0.1")

    code, lines = await call("update")

    assert code == 0
    assert f"This is Easel {find_version()}; {settings.data_dir} was last opened by 0.0.1." in lines
    assert any(line.startswith("The next start changes nothing") for line in lines)
    assert "## Unreleased" in lines


async def test_a_migration_that_will_run_is_named_and_not_run(call, settings):
    settings.data_dir.mkdir()
    path = settings.data_dir / "easel.sqlite3"
    async with Database(path) as database:
        name = await database.fetch_value("SELECT name FROM migration ORDER BY number DESC LIMIT 1")
        await database.execute("DELETE FROM migration WHERE name = ?", (name,))

    code, lines = await call("update")

    assert code == 0
    assert any(f"schema ({name})" in line and "easel backup" in line for line in lines)
    async with Database(path, read_only=True) as database:
        assert not await database.fetch_value("SELECT 1 FROM migration WHERE name = ?", (name,))


@pytest.mark.parametrize("command", ["update", "doctor"])
async def test_a_newer_database_is_said(call, settings, command):
    settings.data_dir.mkdir()
    async with Database(settings.data_dir / "easel.sqlite3") as database:
        await database.execute("INSERT INTO migration VALUES (9999, 'of tomorrow', 0)")

    code, lines = await call(command)

    assert code == 1
    assert any("Update Easel" in line for line in lines)


async def test_without_data_there_is_nothing_to_migrate(call, settings):
    code, lines = await call("update")

    assert code == 0
    assert "was not opened by a bot yet" in lines[0]


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/ada/.local/share/pipx/venvs/easel-bot", "pipx upgrade easel-bot"),
        ("/home/ada/.local/share/uv/tools/easel-bot", "uv tool upgrade easel-bot"),
        ("/srv/venv", f"{sys.executable} -m pip install --upgrade easel-bot"),
    ],
)
def test_an_update_is_done_as_easel_was_installed(monkeypatch, prefix, command):
    monkeypatch.setattr(updates, "CONTAINER_FILES", ())
    assert update_command() == "git pull && make install"

    monkeypatch.setattr(updates, "is_installed", lambda: True)
    monkeypatch.setattr(sys, "prefix", prefix)

    assert update_command() == command
