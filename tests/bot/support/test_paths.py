from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import env_variables, read_host_settings
from bot.support.paths import CODE_ROOT, find_data_dir, find_host_paths, is_installed


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in env_variables():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def installed_root(tmp_path) -> Path:
    """Give a folder that looks as a wheel leaves it."""
    root = tmp_path / "site-packages" / "easel" / "app"
    root.mkdir(parents=True)
    (root.parent / "__main__.py").touch()
    return root


def test_a_checkout_keeps_all_in_the_working_directory():
    paths = find_host_paths({})

    assert not is_installed()
    assert (paths.env_file, paths.data_dir) == (Path(".env"), Path("data"))
    assert (CODE_ROOT / "main.py").is_file()


def test_an_installed_easel_keeps_nothing_in_the_working_directory(installed_root):
    paths = find_host_paths({}, installed_root)

    assert is_installed(installed_root)
    assert paths.env_file.is_absolute() and paths.data_dir.is_absolute()
    assert "easel" in paths.env_file.parts and "easel" in paths.data_dir.parts
    assert not paths.env_file.is_relative_to(Path.cwd())


@pytest.mark.parametrize("is_wheel", [True, False])
def test_a_home_goes_first(tmp_path, installed_root, is_wheel):
    root = installed_root if is_wheel else CODE_ROOT
    home = tmp_path / "home"

    paths = find_host_paths({"EASEL_HOME": str(home)}, root)

    assert (paths.env_file, paths.data_dir) == (home / ".env", home / "data")


@pytest.mark.parametrize(
    ("env_text", "environment"),
    [
        (None, {}),
        ("", {}),
        ("EASEL_DATA_DIR=/srv/a\n", {}),
        ("EASEL_DATA_DIR=/srv/a\n", {"EASEL_DATA_DIR": "/srv/b"}),
        ("EASEL_DATA_DIR=/srv/a\n", {"EASEL_DATA_DIR": ""}),
        ("EASEL_DATA_DIR=\n", {}),
        ("# EASEL_DATA_DIR=/srv/a\n", {}),
        ("export EASEL_DATA_DIR='/srv/a b'  # here\n", {}),
        ("easel_data_dir=/srv/a\n", {}),
        ("\ufeffEASEL_DATA_DIR=/srv/a\r\nEASEL_WORKERS=2\r\n", {}),
        ("ROOT=/srv\nEASEL_DATA_DIR=${ROOT}/a\n", {}),
    ],
)
def test_health_looks_where_the_bot_writes(tmp_path, monkeypatch, env_text, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    paths = find_host_paths({"EASEL_HOME": str(tmp_path)})
    if env_text is not None:
        paths.env_file.write_bytes(env_text.encode())

    assert find_data_dir(environment, paths) == read_host_settings(paths).data_dir
