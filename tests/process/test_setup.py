"""`setup` as a newcomer runs it, in a process of its own: a terminal, Discord's REST, a hub."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.doubles.discord_accounts import BOT_ID, serve_accounts
from tests.doubles.model_hub import serve_hub
from tests.patience import PATIENCE

MAIN = Path(__file__).parents[2] / "main.py"
UNET = "unet/diffusion_pytorch_model.safetensors"
ENTER, CTRL_C = "\r", "\x03"
ESCAPE_PATTERN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CATALOGUE = """
[[models]]
key = "tiny"
title = "Tiny"
kind = "checkpoint"
family = "sd1"
about = "random pictures of 64 pixels"
repository = "owner/tiny"
layout = "pipeline"
licence = "openrail++"
memory_gb = 1
[models.defaults]
width = 64
height = 64
steps = 2
guidance = 2.0
sampler = "Euler"
schedule = "Automatic"
"""


class Newcomer:
    """An empty folder, a hub and a Discord on this machine, and somebody who types `setup`."""

    def __init__(self, folder: Path, hub, accounts) -> None:
        self.folder, self.hub, self.accounts = folder, hub, accounts
        models = folder / "data" / "models"
        models.mkdir(parents=True)
        (models / "catalogue.toml").write_text(CATALOGUE, encoding="utf-8")
        self.token_file = folder / "token"
        self.token_file.write_text(accounts.token)

    @property
    def environment(self) -> dict[str, str]:
        own = {key: os.environ[key] for key in ("PATH", "OMP_NUM_THREADS") if key in os.environ}
        return own | {
            "HOME": str(self.folder),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "DISCORD_API_BASE": self.accounts.api_base,
            "EASEL_HUB_URL": self.hub.address,
            "EASEL_DEVICE": "cpu",
        }

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run setup without a terminal."""
        return subprocess.run(
            [sys.executable, str(MAIN), "setup", *options],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 4,
            check=False,
        )

    def sit_down(self, *options: str, columns: int = 80) -> pexpect.spawn:
        """Run setup in a pseudo terminal."""
        return pexpect.spawn(
            sys.executable,
            [str(MAIN), "setup", *options],
            env=self.environment,
            cwd=self.folder,
            dimensions=(40, columns),
            encoding="utf-8",
            timeout=PATIENCE * 4,
        )


@pytest.fixture
def newcomer(tmp_path, models):
    pipeline = tmp_path / "hub"
    shutil.copytree(models / "tiny", pipeline)
    (pipeline / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with serve_hub({"owner/tiny": pipeline}) as hub, serve_accounts() as accounts:
        folder = tmp_path / "home"
        folder.mkdir()
        yield Newcomer(folder, hub, accounts)


def test_two_words_at_a_terminal_lead_to_a_picture_and_an_invitation(newcomer):
    """A download that broke off before goes on where it ended."""
    newcomer.hub.breaks[UNET] = 20_000
    broken = newcomer.run("--yes", "--only", "checkpoint")
    assert broken.returncode == 1
    assert "could not be fetched" in broken.stderr
    newcomer.hub.breaks.clear()
    newcomer.hub.headers.clear()

    terminal = newcomer.sit_down("--skip", "service")
    terminal.expect("1/4 This machine")
    terminal.expect(r"Token \(not shown")
    terminal.send(newcomer.accounts.token + ENTER)
    terminal.expect("easel-of-ada")
    terminal.expect("Which checkpoint shall draw")
    terminal.expect("tiny: random pictures")
    terminal.send(ENTER)
    terminal.expect(r"licence OpenRAIL\+\+-M")
    terminal.expect("tiny is there")
    terminal.expect("4/4 A first picture")
    terminal.expect("Invite it here:")
    terminal.expect(rf"https://discord\.com/oauth2/authorize\?client_id={BOT_ID}&\S+")
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == 0
    assert "bytes=20000-" in [headers.get("Range") for headers in newcomer.hub.headers]
    assert [path.suffix for path in (newcomer.folder / "out").iterdir()] == [".png"]
    settings = (newcomer.folder / ".env").read_text("utf-8")
    assert f"DISCORD_TOKEN='{newcomer.accounts.token}'" in settings
    assert "EASEL_MODEL='tiny'" in settings


def test_options_alone_do_it_too_and_say_nothing_secret(newcomer):
    ended = newcomer.run("--token-file", str(newcomer.token_file), "--yes")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "imagine-" in ended.stdout
    assert [path.suffix for path in (newcomer.folder / "out").iterdir()] == [".png"]
    assert f"client_id={BOT_ID}" in ended.stdout
    assert newcomer.accounts.token not in ended.stdout + ended.stderr
    assert "[info" not in ended.stdout
    words = [line for line in ended.stdout.splitlines() if "://" not in line and "/" not in line]
    assert max(map(len, words)) <= 80


def test_ctrl_c_ends_it_and_keeps_what_is_done(newcomer):
    terminal = newcomer.sit_down("--only", "token", "--only", "checkpoint")
    terminal.expect(r"Token \(not shown")
    terminal.send(newcomer.accounts.token + ENTER)
    terminal.expect("Which checkpoint shall draw")
    terminal.expect("starter: emoji")
    terminal.send(CTRL_C)
    terminal.expect("what is done stays done")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert "DISCORD_TOKEN='" in (newcomer.folder / ".env").read_text("utf-8")
