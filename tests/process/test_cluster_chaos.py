"""Whatever of a cluster is killed, at random: no job is lost, done twice or shown twice."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec

import pytest
import pytest_asyncio

from tests.doubles.bot_process import BotProcess
from tests.doubles.discord_server import DiscordServer
from tests.process.easel import EaselProcess
from tests.proofs import proof_size

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.cable import Cable, open_cable
from tests.inference.cluster.ray_cluster import RayCluster, open_cluster
from tests.process.cluster_chaos import ClusterChaos

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.proof,
]
KILLS = proof_size(6, 200)
QUICK_CLUSTER_BOT = ("-m", "tests.doubles.quick_cluster_bot")


@pytest.fixture
def cable() -> Iterator[Cable | None]:
    with open_cable() as cable:
        yield cable


@pytest.fixture
def cluster(cable) -> Iterator[RayCluster]:
    """Give a head, which is a node, and another, at the far end of a cable where one may be."""
    own_ip, far_ip, launcher = "127.0.0.1", "127.0.0.1", ()
    if cable is not None:
        own_ip, far_ip, launcher = cable.head_ip, cable.node_ip, cable.launcher
    cluster = open_cluster(own_ip)
    try:
        cluster.join("far", far_ip, launcher)
        yield cluster
    finally:
        cluster.close()


@pytest_asyncio.fixture(loop_scope="module")
async def cluster_easel(tmp_path, cluster) -> AsyncIterator[EaselProcess]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    shutil.copy(cluster.token, data / "cluster-token")
    settings = {
        "EASEL_CLUSTER": cluster.address,
        "EASEL_CLUSTER_NEEDS": '{"seat": 1}',
        "EASEL_CLUSTER_WORKERS": "2",
    }
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, tmp_path, settings, quick=True)
        easel.bot = BotProcess(easel.bot._environment, tmp_path / "bot.log", QUICK_CLUSTER_BOT)
        try:
            yield easel
        finally:
            await easel.bot.close()


async def test_no_kill_on_a_cluster_loses_a_job_or_does_or_shows_one_twice(
    cluster_easel, cluster, cable
):
    seed = random.randrange(2**32)

    chaos = ClusterChaos(
        cluster_easel,
        cluster,
        cable,
        kills=KILLS,
        seed=seed,
        pause=8.0,
        drop_share=0.1,
    )
    outcome = await chaos.run()
    sys.stderr.write(f"seed {seed}: {outcome}\n")

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert sum(outcome.kills.values()) == KILLS
    assert outcome.delivered > 0
