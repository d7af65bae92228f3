from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.cli import doctor
from bot.errors import SettingsError
from bot.hosting import token_files
from bot.hosting.token_files import MAX_TOKEN_BYTES, find_token, read_token
from bot.settings import env_variables, read_host_settings
from bot.support.paths import find_host_paths

TOKEN = "a-token.of-a-bot.which-nobody-may-see"
POSIX = pytest.mark.skipif(os.name != "posix", reason="there are no such rights")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Give a host's folder, with no secret anywhere yet."""
    for name, _ in env_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(token_files, "SECRETS_DIR", tmp_path / "secrets")
    return tmp_path


def settings_of(home):
    return read_host_settings(find_host_paths({"EASEL_HOME": str(home)}))


def put(path: Path, text: str = f"{TOKEN}\n", mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_there_may_be_none(home):
    assert find_token(settings_of(home)) is None


@pytest.mark.parametrize("place", ["named", "credentials", "secrets"])
def test_a_token_is_read_from_a_file(home, monkeypatch, place):
    path = put(home / place / "discord_token")
    if place == "named":
        monkeypatch.setenv("DISCORD_TOKEN_FILE", str(path))
    if place == "credentials":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))

    token = find_token(settings_of(home))

    assert token.secret.get_secret_value() == TOKEN
    assert token.path == path
    assert token.warn_of_readers() == ""


def test_what_is_named_goes_before_what_is_handed_over(home, monkeypatch):
    put(home / "secrets" / "discord_token", "handed.over")
    put(home / "credentials" / "discord_token", "a.credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home / "credentials"))
    assert find_token(settings_of(home)).secret.get_secret_value() == "a.credential"

    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(put(home / "file", "named")))
    assert find_token(settings_of(home)).secret.get_secret_value() == "named"

    monkeypatch.delenv("DISCORD_TOKEN_FILE")
    monkeypatch.setenv("DISCORD_TOKEN", "set")
    assert find_token(settings_of(home)).secret.get_secret_value() == "set"


def test_two_tokens_that_were_both_set_are_refused(home, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "set")
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(put(home / "file")))

    with pytest.raises(SettingsError, match="keep one"):
        find_token(settings_of(home))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\t\n", "is empty"),
        (f"DISCORD_TOKEN= {TOKEN}", "something else"),
        ("x" * (MAX_TOKEN_BYTES + 1), "something else"),
        ("Schlüssel", "something else"),
    ],
)
def test_a_file_with_something_else_is_refused_and_not_shown(tmp_path, text, words):
    path = put(tmp_path / "file", text)

    with pytest.raises(SettingsError, match=words) as caught:
        read_token(path)

    assert str(path) in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_file_that_is_not_there_is_said_by_its_name(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere cannot be read: No such file"):
        read_token(tmp_path / "nowhere")


def test_windows_editors_may_have_written_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf" + TOKEN.encode() + b"\r\n")

    assert read_token(path) == TOKEN


@POSIX
@pytest.mark.parametrize(("mode", "is_warned_of"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_that_others_may_read_is_warned_of(home, monkeypatch, mode, is_warned_of):
    path = put(home / "file", mode=mode)
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(path))
    settings = settings_of(home)

    assert (str(path) in find_token(settings).warn_of_readers()) is is_warned_of
    assert ("chmod" in doctor._check_token(settings).fix) is is_warned_of


@POSIX
@pytest.mark.parametrize(("mode", "is_warned_of"), [(0o600, False), (0o644, True)])
def test_so_is_a_settings_file_with_a_token(home, mode, is_warned_of):
    path = put(home / ".env", f"DISCORD_TOKEN={TOKEN}\n", mode)

    token = find_token(settings_of(home))

    assert token.secret.get_secret_value() == TOKEN
    assert (str(path) in token.warn_of_readers()) is is_warned_of


def test_doctor_says_where_the_token_is_and_never_what(home, monkeypatch):
    path = put(home / "file")
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(path))

    result = doctor._check_token(settings_of(home))

    assert result.words == f"set, in {path}"
    assert TOKEN not in repr(result)


def test_doctor_says_why_a_token_cannot_be_read(home, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN_FILE", str(home / "nowhere"))

    result = doctor._check_token(settings_of(home))

    assert "cannot be read" in result.fix
