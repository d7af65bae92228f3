"""What the host's side is promised: signs of life, a token that stays secret, an orderly stop."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from bot.support.health import HEALTH_REPORT_FILE
from tests.doubles.bot_process import PROC, ROOT
from tests.doubles.discord_server import TOKEN, DiscordServer
from tests.process.easel import EaselProcess

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="this looks at /proc"),
]

NAMESPACE = (
    "unshare",
    *("--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
INIT = (sys.executable, "-m", "tests.doubles.init")


def may_unshare() -> bool:
    """Whether this system lets us have a first process of our own."""
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


class ServiceManager:
    """Reads what it is told, as it comes: its queue holds a few states only."""

    def __init__(self) -> None:
        self.address = f"@easel-{uuid.uuid4()}"
        self.states: list[str] = []
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind("\0" + self.address[1:])
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"", "\0" + self.address[1:])
        self._reader.join()
        self._channel.close()

    def _read(self) -> None:
        while state := self._channel.recv(4096):
            self.states.append(state.decode())


@pytest.fixture
def manager():
    with ServiceManager() as manager:
        yield manager


def ask_health(data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", "health"],
        cwd=ROOT,
        env={**os.environ, "EASEL_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )


def tree(easel: EaselProcess) -> list[int]:
    """List the bot and all that it started."""
    pids = [easel.bot.pid]
    for pid in pids:
        pids += easel.bot.children(pid)
    return pids


async def test_a_manager_is_told_and_the_token_stays_in_its_file(tmp_path, manager):
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    token_file.chmod(0o644)
    more = {
        "DISCORD_TOKEN": "",
        "DISCORD_TOKEN_FILE": str(token_file),
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "100000",
        "EASEL_LOG_LEVEL": "DEBUG",
    }
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, tmp_path, more, quick=True)
        try:
            report = easel.database.with_name(HEALTH_REPORT_FILE)
            assert ask_health(report.parent).returncode == 1
            await easel.up()
            await easel.until_shown(await easel.img2img())
            states = manager.states
            await discord.until(lambda: "READY=1" in states)
            assert states.count("READY=1") == 1
            assert states.count("WATCHDOG=1") > 2
            assert any(state.startswith("STATUS=") for state in states)

            health = ask_health(report.parent)
            assert health.returncode == 0, health
            assert health.stdout.startswith("healthy: ")
            facts = json.loads(report.read_text())
            assert facts["pid"] == easel.bot.pid
            assert facts["workers"] == 1

            for pid in tree(easel):
                for place in ("cmdline", "environ"):
                    assert TOKEN.encode() not in PROC.joinpath(str(pid), place).read_bytes()
            assert f"may read {token_file}" in easel.bot.log
            assert TOKEN not in easel.bot.log

            assert await easel.bot.terminate() == 0
            assert states.count("STOPPING=1") == 1
            assert not report.exists()
            assert ask_health(report.parent).returncode == 1
        finally:
            await easel.bot.close()


async def test_what_a_service_manager_hands_over_stays_with_the_bot(tmp_path, manager):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "discord_token").write_text(TOKEN)
    more = {
        "DISCORD_TOKEN": "",
        "CREDENTIALS_DIRECTORY": str(folder),
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "1000000",
    }
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, tmp_path, more, quick=True)
        try:
            await easel.up()
            bot, *others = tree(easel)
            assert others
            for pid in others:
                environment = PROC.joinpath(str(pid), "environ").read_bytes()
                for name in (*more, "DISCORD_API_BASE"):
                    assert f"{name}=".encode() not in environment
            assert bot == easel.bot.pid
            assert await easel.bot.terminate() == 0
        finally:
            await easel.bot.close()


@pytest_asyncio.fixture(loop_scope="module", params=["process 1 itself", "the child of an init"])
async def contained_easel(request, tmp_path):
    """Give an Easel in a namespace of processes, as in a container; its worker ends no job."""
    if not may_unshare():
        pytest.skip("no namespace of processes is to be had here")
    launcher = NAMESPACE if request.param == "process 1 itself" else (*NAMESPACE, *INIT)
    async with DiscordServer() as discord:
        more = {"EASEL_MODEL": "child"}
        easel = EaselProcess(discord, tmp_path, tmp_path, more, quick=True, launcher=launcher)
        try:
            yield easel
        finally:
            await easel.bot.close()


async def test_a_container_that_is_stopped_hands_its_jobs_back(contained_easel):
    easel = contained_easel
    await easel.up()
    asked = await easel.img2img()
    # Another process's database: nothing but looking tells.
    while not any(job["state"] == "running" for job in easel.jobs()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    (first_process,) = easel.bot.children()

    os.kill(first_process, signal.SIGTERM)

    assert await easel.bot.ended() == 0
    (job,) = easel.jobs()
    assert (job["state"], job["strikes"], job["worker"]) == ("queued", 0, None), job
    assert asked.acknowledged
