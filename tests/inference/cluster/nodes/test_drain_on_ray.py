"""The host's commands on a real cluster of one node."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from importlib.util import find_spec

import pytest

from bot.settings import read_settings
from bot.worker_plan import plan_cluster
from inference.api.config import EngineConfig
from inference.api.workers import RemoteWorkerPool
from tests.inference.api.workers.conftest import find_pid, until

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.job_watch import JobWatch, write_photo
from tests.inference.cluster.ray_cluster import ROOT, shared_cluster
from tests.inference.cluster.test_ray import connect_link, end_actors, is_running
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def bot_folder(tmp_path):
    """The bot's data directory, with the cluster's token."""
    folder = tmp_path / "bot"
    folder.mkdir()
    shutil.copy(shared_cluster().token, folder / "cluster-token")
    return folder


async def run_command(bot_folder, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), "cluster", *arguments),
        env={
            **os.environ,
            "EASEL_DATA_DIR": str(bot_folder),
            "EASEL_CLUSTER": shared_cluster().address,
            "OMP_NUM_THREADS": "1",
        },
        cwd=bot_folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, output.decode()


def namespace_of(bot_folder) -> str:
    settings = read_settings(None).model_copy(update={"data_dir": bot_folder, "cluster": "auto"})
    return plan_cluster(settings, EngineConfig()).namespace


def trouble_code(service) -> str:
    (status,) = service.worker_statuses
    return status.trouble.code if status.trouble else ""


async def test_a_node_is_drained_and_undrained_by_command(tmp_path, bot_folder):
    cluster = shared_cluster()
    link = connect_link(cluster, tmp_path, "unhurried", namespace=namespace_of(bot_folder))
    async with RemoteWorkerPool(link) as service:
        watch = JobWatch(service, write_photo(tmp_path), steps=3000)
        await watch.hand_over()
        await watch.watch_until(lambda: watch.step >= 3)
        worker, pid = watch.worker, find_pid(watch.worker)

        code, words = await run_command(bot_folder, "drain", platform.node())
        assert (code, "takes nothing new" in words) == (0, True), words
        await watch.watch_until(lambda: trouble_code(service) == "cluster.draining")
        assert service.free_worker() is None
        await service.cancel_job(worker, "a", watch.attempt, keep=False)
        watching = asyncio.create_task(watch.watch_until(lambda: False))
        await until(lambda: trouble_code(service) == "cluster.drained")
        watching.cancel()
        code, words = await run_command(bot_folder, "status")
        assert "worker seat0" in words
        assert ": drained" in words, words
        assert not is_running(pid)
        assert watch.losses == []

        code, words = await run_command(bot_folder, "undrain", platform.node())
        assert (code, "takes jobs again" in words) == (0, True), words
        assert await until(service.free_worker) != worker
        end_actors(service)


async def test_a_worker_is_drained_by_its_name_and_a_stranger_is_not_found(tmp_path, bot_folder):
    cluster = shared_cluster()
    link = connect_link(cluster, tmp_path, namespace=namespace_of(bot_folder))
    async with RemoteWorkerPool(link) as service:
        worker = await until(service.free_worker)
        try:
            assert (await run_command(bot_folder, "drain", worker))[0] == 0
            await until(lambda: trouble_code(service) == "cluster.drained")
        finally:
            assert (await run_command(bot_folder, "undrain", "seat0"))[0] == 0
        await until(service.free_worker)
        code, words = await run_command(bot_folder, "drain", "seat7")
        assert (code, "No node or worker is called seat7" in words) == (1, True), words
        end_actors(service)
