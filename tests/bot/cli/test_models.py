"""`models`: the bot hands files to another process and gives its exit code on."""

import pytest

from bot.cli.models import describe_fits, manage_models
from bot.settings import Settings
from inference.api.messages import ModelInfo


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, _env_file=None)


async def test_a_sound_folder_passes(settings, capfd):
    assert await manage_models(settings, "verify") == 0
    assert capfd.readouterr().err == ""


async def test_a_broken_file_fails(settings, tmp_path, capfd):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.safetensors").write_bytes(b"<html>")

    assert await manage_models(settings, "verify") == 1
    assert "BROKEN  net.safetensors: net.safetensors is a web page" in capfd.readouterr().out


async def test_an_unknown_upscaler_is_refused(settings, capfd):
    assert await manage_models(settings, "pull", "nothing") == 1
    assert "The catalogue has no model “nothing”" in capfd.readouterr().err


async def test_a_namesake_in_the_working_directory_is_not_imported(
    settings, tmp_path, capfd, monkeypatch
):
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference" / "__init__.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)

    assert await manage_models(settings, "verify") == 0
    assert "a stranger" not in capfd.readouterr().err


def test_what_this_card_can_run_is_said_by_how():
    fits = {"sd15": "whole", "xl": "whole", "flux": "blocks", "huge": "not", "ink": ""}
    models = [ModelInfo(name=name, kind="diffusion", size=0, fit=fit) for name, fit in fits.items()]

    assert describe_fits(models) == (
        "sd15, xl: fits whole; flux: fits block by block, slowly; "
        "huge: DOES NOT FIT this device's memory"
    )
    assert describe_fits([]) == ""
