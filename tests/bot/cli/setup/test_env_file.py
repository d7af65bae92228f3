"""The settings file: what is there stays, and only its owner may read it."""

from __future__ import annotations

import stat

import pytest

from bot.cli.setup.env_file import read_variables, remove_variables, write_variables
from bot.settings import env_example, read_settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / ".env"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_holds_every_setting_and_what_it_means(path):
    write_variables(path, {"DISCORD_TOKEN": "a.b.c", "EASEL_MODEL": "tiny"})
    lines = path.read_text("utf-8").splitlines()
    assert set(env_example().splitlines()) - set(lines) == {"DISCORD_TOKEN="}
    assert mode(path) == 0o600
    settings = read_settings(path)
    assert settings.discord_token.get_secret_value() == "a.b.c"
    assert settings.model == "tiny"


OWN = """# mine
EASEL_KEEP_DAYS=7   # a week

export EASEL_LOG_LEVEL="DEBUG"
easel_model=old
SOMEBODY_ELSES=1
a line that means nothing
"""


def test_no_line_is_lost(path):
    path.parent.mkdir()
    path.write_text(OWN)
    path.chmod(0o644)
    write_variables(path, {"EASEL_MODEL": "new", "DISCORD_TOKEN": "x'y\\z"})
    expected = OWN.replace("easel_model=old", "easel_model='new'")
    assert path.read_text().startswith(expected)
    assert len(path.read_text().splitlines()) == len(OWN.splitlines()) + 1
    assert read_variables(path)["DISCORD_TOKEN"] == "x'y\\z"
    assert read_settings(path).model == "new"
    assert mode(path) == 0o600


def test_a_last_line_without_an_end_stays_a_line(path):
    path.parent.mkdir()
    path.write_text("EASEL_KEEP_DAYS=7")
    write_variables(path, {"EASEL_MODEL": "new"})
    assert path.read_text() == "EASEL_KEEP_DAYS=7\nEASEL_MODEL='new'\n"


def test_a_link_leads_to_the_file_that_is_written(path, tmp_path):
    path.parent.mkdir()
    (tmp_path / "real").write_text("EASEL_KEEP_DAYS=7\n")
    path.symlink_to(tmp_path / "real")
    write_variables(path, {"EASEL_MODEL": "new"})
    assert path.is_symlink()
    assert "EASEL_MODEL" in (tmp_path / "real").read_text()


def test_variables_are_taken_out_again(path):
    path.parent.mkdir()
    path.write_text(OWN)
    assert remove_variables(path, "EASEL_MODEL", "DISCORD_TOKEN") == ["EASEL_MODEL"]
    assert path.read_text() == OWN.replace("easel_model=old\n", "")
    assert remove_variables(path, "EASEL_MODEL") == []
    assert remove_variables(path.with_name("none"), "EASEL_MODEL") == []
