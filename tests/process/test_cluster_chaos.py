"""Whatever of a cluster is killed, at random: no job is lost, and none is shown twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from tests.doubles.bot_process import BotProcess
from tests.doubles.discord_server import DiscordServer
from tests.process.chaos import Chaos
from tests.process.easel import EaselProcess
from tests.proofs import proof_size

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.ray_cluster import RayCluster, list_descendants, shared_cluster

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.proof,
]
KILLS = proof_size(4, 200)
QUICK_CLUSTER_BOT = ("-m", "tests.doubles.quick_cluster_bot")


class ClusterBot(BotProcess):
    """The bot, whose workers are on a cluster."""

    cluster: RayCluster

    def kill_workers(self, chance: random.Random | None = None) -> int:
        """Kill the link, the program that holds the worker, or the worker, which ends a job."""
        of_cluster = list_descendants(self.cluster.head.process.pid)
        kinds = [
            [pid for pid in self.children() if "inference.cluster" in command_of(pid)],
            [pid for pid in of_cluster if "RaySeatHost" in command_of(pid)],
            [pid for pid in of_cluster if "workers.child" in command_of(pid)],
        ]
        pids = (chance or random.Random()).choice(kinds)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@pytest_asyncio.fixture(loop_scope="module")
async def cluster_easel(tmp_path) -> AsyncIterator[EaselProcess]:
    cluster = shared_cluster()
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    shutil.copy(cluster.token, data / "cluster-token")
    settings = {"EASEL_CLUSTER": cluster.address, "EASEL_CLUSTER_NEEDS": '{"seat": 1}'}
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, tmp_path, settings, quick=True)
        easel.bot = ClusterBot(easel.bot._environment, tmp_path / "bot.log", QUICK_CLUSTER_BOT)
        easel.bot.cluster = cluster
        try:
            yield easel
        finally:
            await easel.bot.close()


async def test_no_kill_on_a_cluster_loses_a_job_or_shows_one_twice(cluster_easel):
    seed = random.randrange(2**32)

    chaos = Chaos(cluster_easel, kills=KILLS, seed=seed, pause=8.0, drop_share=0.1)
    outcome = await chaos.run()

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert sum(outcome.kills.values()) == KILLS
    assert outcome.delivered > 0
