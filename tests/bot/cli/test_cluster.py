from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from bot.app import open_core
from bot.cli import cluster as cluster_module
from bot.cli.cluster import run_cluster_command
from bot.errors import MissingExtra, SettingsError
from bot.settings import Settings, read_settings
from bot.worker_plan import TOKEN_FILE, plan_cluster
from inference.api.config import EngineConfig
from inference.api.workers.environment import child_environment
from main import build_parser


@pytest.fixture
def settings(tmp_path) -> Settings:
    return read_settings(None).model_copy(update={"data_dir": tmp_path, "cluster": "auto"})


@pytest.fixture
def started(monkeypatch) -> list[tuple[str, ...]]:
    """Record the options that `ray start` would have been given."""
    options_of_starts: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        cluster_module,
        "become_ray",
        lambda settings, options: options_of_starts.append(tuple(options)) or 0,
    )
    monkeypatch.setattr(cluster_module, "find_spec", lambda name: name)
    return options_of_starts


async def test_a_head_makes_a_token_that_its_owner_alone_may_read(
    settings, started, tmp_path, capsys
):
    assert await run_cluster_command(settings, "head", None, ip="10.0.0.1") == 0

    token = tmp_path / TOKEN_FILE
    assert len(token.read_text()) >= 64
    assert token.stat().st_mode & 0o777 == 0o600
    (options,) = started
    assert {"--head", "--port=6379", "--include-dashboard=false", "--block"} <= set(options)
    assert "--disable-usage-stats" in options
    output = capsys.readouterr().out
    assert "cluster join 10.0.0.1:6379" in output
    assert "WireGuard" in output

    first_token = token.read_text()
    await run_cluster_command(settings, "head", None, ip="10.0.0.1")
    assert token.read_text() == first_token


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [(None, 0, "no cluster token"), ("", 0o600, "no token"), ("x" * 64, 0o644, "chmod 600")],
)
async def test_no_node_starts_without_a_token_of_its_own(
    settings, started, tmp_path, capsys, content, mode, words
):
    if content is not None:
        (tmp_path / TOKEN_FILE).write_text(content)
        (tmp_path / TOKEN_FILE).chmod(mode)

    assert await run_cluster_command(settings, "join", "10.0.0.1:6379") == 2

    assert started == []
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("address", [None, "somewhere", "10.0.0.1", "a b:1"])
async def test_a_node_has_to_be_told_which_head(settings, started, capsys, address):
    assert await run_cluster_command(settings, "join", address) == 2

    assert started == []
    assert "HOST:6379" in capsys.readouterr().err


async def test_without_ray_the_extra_is_named(settings, monkeypatch, capsys):
    monkeypatch.setattr(cluster_module, "find_spec", lambda name: None)
    monkeypatch.setattr("bot.app.find_spec", lambda name: None)

    assert await run_cluster_command(settings, "head", None) == 2
    assert "[cluster]" in capsys.readouterr().err
    with pytest.raises(MissingExtra, match="cluster"):
        async with open_core(settings):
            pass


@pytest.mark.parametrize(
    ("change", "words"),
    [({"lease_seconds": 60}, "EASEL_LEASE_SECONDS"), ({"device": "cuda:1"}, "EASEL_DEVICE")],
)
def test_settings_that_do_not_go_with_a_cluster_are_refused(settings, change, words):
    with pytest.raises(SettingsError, match=words):
        plan_cluster(settings.model_copy(update=change), EngineConfig())


@pytest.mark.parametrize("value", ["0", "65", "4-2", "many", "1-", "-1"])
def test_a_number_of_workers_that_cannot_be_is_refused(monkeypatch, value):
    monkeypatch.setenv("EASEL_CLUSTER_WORKERS", value)
    with pytest.raises(SettingsError, match="EASEL_CLUSTER_WORKERS"):
        read_settings(None)


@pytest.mark.parametrize("value", ["ray://10.0.0.1:10001", "10.0.0.1", "host:port"])
def test_an_address_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("EASEL_CLUSTER", value)
    with pytest.raises(SettingsError, match="EASEL_CLUSTER: "):
        read_settings(None)


def test_two_data_directories_have_workers_of_their_own(settings, tmp_path):
    names = set()
    for folder in ("one", "two"):
        data_dir = tmp_path / folder
        cluster_module.make_token(data_dir)
        changed = settings.model_copy(update={"data_dir": data_dir, "cluster_workers": "1-16"})
        link = plan_cluster(changed, EngineConfig())
        names.add(link.namespace)
        assert (link.min_seats, link.max_seats, link.needs) == (1, 16, {"GPU": 1})

    assert len(names) == 2


def test_the_page_s_commands_are_ones_that_easel_knows():
    page = (Path(__file__).parents[3] / "docs" / "cluster.md").read_text(encoding="utf-8")
    lines = re.findall(r"main\.py (cluster .*?)(?:`|#|$)", page, re.MULTILINE)
    lines += re.findall(r"`(cluster (?:join|drain) [^`]+)`", page)

    assert len(lines) >= 8
    for line in lines:
        assert build_parser().parse_args(shlex.split(line)).command == "cluster"
    options = re.findall(r'`(--ray="[^`]+)`', page)
    assert build_parser().parse_args(["cluster", "head", *shlex.split(options[0])]).ray


async def test_this_machine_is_drained_without_a_cluster(settings, tmp_path, capfd):
    assert await run_cluster_command(settings, "drain", None, wait_seconds=5) == 0
    assert (tmp_path / "drain").exists()

    assert await run_cluster_command(settings, "undrain", None) == 0
    assert not (tmp_path / "drain").exists()
    assert "takes jobs again" in capfd.readouterr().out


def test_certificates_are_told_to_ray_and_to_no_worker(settings, tmp_path, monkeypatch):
    cluster_module.make_token(tmp_path)
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", "/etc/easel/key.pem")
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:1")

    environment = cluster_module._node_environment(settings)

    assert environment["RAY_USE_TLS"] == "1"
    assert environment["RAY_TLS_SERVER_KEY"] == "/etc/easel/key.pem"
    assert "RAY_ADDRESS" not in environment
    assert not [name for name in child_environment(os.environ) if name.startswith("RAY_")]
