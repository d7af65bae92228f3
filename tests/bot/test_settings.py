from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import env_example, env_variables, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in env_variables():
        monkeypatch.delenv(name, raising=False)


def test_the_example_lists_every_variable_with_its_default_and_meaning():
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), (
        "write bot.settings.example() into .env.example"
    )


def test_the_example_read_as_it_is_gives_the_defaults():
    assert read_settings(ROOT / ".env.example") == read_settings(None)


def test_every_variable_is_explained():
    for name, field in env_variables():
        assert field.description and field.description.endswith("."), name


def test_a_file_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    file = tmp_path / ".env"
    file.write_text("EASEL_MODEL=sd15\nEASEL_WORKERS=2\nDISCORD_TOKEN=abc\n")
    monkeypatch.setenv("EASEL_WORKERS", "3")
    settings = read_settings(file)
    assert (settings.model, settings.workers) == ("sd15", 3)
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "abc"


def test_the_token_is_in_no_repr(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    settings = read_settings(None)
    assert "very-secret" not in f"{settings!r}{settings}{settings.model_dump()}"


def test_settings_do_not_change():
    settings = read_settings(None)
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3


def test_models_lie_in_the_data_directory_unless_said_otherwise(monkeypatch):
    monkeypatch.setenv("EASEL_DATA_DIR", "/srv/easel")
    assert read_settings(None).models_path == Path("/srv/easel/models")
    monkeypatch.setenv("EASEL_MODELS_DIR", "/srv/models")
    assert read_settings(None).models_path == Path("/srv/models")


def test_the_upload_limit_is_given_in_mebibytes(monkeypatch):
    monkeypatch.setenv("EASEL_MAX_UPLOAD_MB", "0.5")
    assert read_settings(None).max_upload_bytes == 2**19


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EASEL_WORKERS", "-1", "EASEL_WORKERS: Input should be greater than or equal to 0"),
        ("EASEL_WORKERS", "two", "EASEL_WORKERS: Input should be a valid integer"),
        ("EASEL_DTYPE", "int8", "EASEL_DTYPE: Input should be 'auto'"),
        ("EASEL_LEASE_SECONDS", "1", "EASEL_LEASE_SECONDS: "),
        ("DISCORD_API_BASE", "http://example.org/api", "in the clear to example.org"),
        ("DISCORD_API_BASE", "ftp://localhost", "must be an address that begins with https://"),
        ("DISCORD_API_BASE", "localhost:80", "must be an address that begins with https://"),
        ("DISCORD_GATEWAY_URL", "ws://10.0.0.1", "in the clear to 10.0.0.1"),
        ("DISCORD_GATEWAY_URL", "ws://localhost.example.org", "in the clear"),
    ],
)
def test_an_impossible_value_is_named_with_its_variable(monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings(None)
    assert name in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISCORD_API_BASE", "http://127.0.0.1:8080/api/v10"),
        ("DISCORD_API_BASE", "http://localhost/api/v10"),
        ("DISCORD_API_BASE", "https://proxy.example.org/api/v10"),
        ("DISCORD_GATEWAY_URL", "ws://[::1]:9/gateway"),
        ("DISCORD_GATEWAY_URL", "wss://gateway.example.org"),
    ],
)
def test_other_addresses_for_discord(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert getattr(read_settings(None), name.lower()) == value


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("EASEL_WORKRES=2", "EASEL_WORKERS"),
        ("EASEL_MODLE=sd15", "EASEL_MODEL"),
        ("EASEL_KEEPDAYS=3", "EASEL_KEEP_DAYS"),
        ("DISCORD_TOKN=abc", "DISCORD_TOKEN"),
        ("EASEL_MAX_PIXEL=5000", "EASEL_MAX_PIXELS"),
        ("export easel_log_levle=INFO", "EASEL_LOG_LEVEL"),
    ],
)
def test_a_typo_names_the_setting_that_is_meant(tmp_path, line, meant):
    file = tmp_path / ".env"
    file.write_text(f"EASEL_DEVICE=cpu\n{line}\n")

    with pytest.raises(SettingsError) as caught:
        read_settings(file)

    assert str(caught.value).endswith(f"is {meant} meant?")
    words = str(caught.value).removeprefix(str(file)).removesuffix(f"{meant} meant?")
    assert line.rpartition("=")[2] not in words


@pytest.mark.parametrize("line", ["EASEL_IMAGE=x", "COMPOSE_PROFILES=nvidia", "EASEL_HOME=/srv"])
def test_names_of_other_tools_may_stand_beside_them(tmp_path, line):
    file = tmp_path / ".env"
    file.write_text(f"{line}\neasel_workers=2\n")

    assert read_settings(file).workers == 2


@pytest.mark.parametrize(
    "content", ["EASEL_MODEL=ä".encode("latin-1"), "EASEL_MODEL=a".encode("utf-16")]
)
def test_a_file_that_is_no_text_is_said(tmp_path, content):
    file = tmp_path / ".env"
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="is no UTF-8 text"):
        read_settings(file)


def test_windows_editors_may_have_written_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_bytes("\ufeffEASEL_WORKERS=2\r\nEASEL_MODEL=sd15\r\n".encode())

    settings = read_settings(file)

    assert (settings.workers, settings.model) == (2, "sd15")
