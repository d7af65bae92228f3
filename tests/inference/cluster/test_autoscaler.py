"""Machines that come and go with the work: Ray's own autoscaler, which starts nodes as processes.

It is the autoscaler of every cloud; only what it asks for machines is Ray's stand-in for tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from inference.api.workers import RemoteWorkerPool
from inference.api.workers.environment import child_environment
from inference.cluster.ray_environment import NODE_FOLDER_VARIABLE, make_ray_variables
from tests.inference.api.workers.conftest import configure_link, find_pid, until
from tests.patience import PATIENCE

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.ray_cluster import PORTS_OF_A_NODE, ROOT, Node, find_ports

pytestmark = [pytest.mark.slow, pytest.mark.proof]

QUICK_LINK = (sys.executable, "-m", "tests.inference.cluster.quick_link")
HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
IDLE_MINUTES = 0.1


def describe_machines(address: str, most: int) -> dict:
    """Describe a cluster whose machines have room for one seat each."""
    return {
        "cluster_name": "easel",
        "max_workers": most,
        "idle_timeout_minutes": IDLE_MINUTES,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "card": {
                "resources": {"CPU": 1, "seat": 1, "object_store_memory": 100_000_000},
                "node_config": {},
                "min_workers": 0,
                "max_workers": most,
            },
        },
        "head_node_type": "ray.head.default",
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "initialization_commands": [],
        "setup_commands": [],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
    }


@pytest.fixture
def head():
    """A head that takes no work, with an autoscaler; its address and token."""
    folder = Path(tempfile.mkdtemp(prefix="ea", dir="/tmp"))
    (folder / "models").mkdir()
    port = find_ports()
    address = f"127.0.0.1:{port}"
    token = folder / "cluster-token"
    token.write_text("0123456789abcdef" * 4)
    (folder / "machines.json").write_text(json.dumps(describe_machines(address, 2)))
    variables = {
        **make_ray_variables(str(token)),
        NODE_FOLDER_VARIABLE: str(folder),
        "PYTHONPATH": str(ROOT),
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        "OMP_NUM_THREADS": "1",
    }
    options = [
        "--head",
        "--node-ip-address=127.0.0.1",
        f"--port={port}",
        f"--node-manager-port={port + 1}",
        f"--object-manager-port={port + 2}",
        f"--min-worker-port={port + 3}",
        f"--max-worker-port={port + PORTS_OF_A_NODE - 1}",
        f"--temp-dir={folder / 't'}",
        f"--autoscaling-config={folder / 'machines.json'}",
        "--num-cpus=0",
        "--num-gpus=0",
        "--object-store-memory=100000000",
        "--include-dashboard=false",
        "--disable-usage-stats",
        "--block",
    ]
    start = (sys.executable, "-m", "ray.scripts.scripts", "start", *options)
    assignments = (f"{name}={value}" for name, value in variables.items())
    node = Node(("env", *assignments, *start), folder / "head.log", folder)
    node.start()
    try:
        yield address, token
    finally:
        node.end()
        shutil.rmtree(folder, ignore_errors=True)


async def count_nodes(address: str, token: Path) -> int:
    """Count the cluster's nodes that are up, the head aside."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.cluster.show_nodes", address, "nobody"),
        env=child_environment(os.environ, **make_ray_variables(str(token))),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return sum(" up " in line and "seat" in line for line in output.decode().splitlines())


async def test_waiting_work_brings_a_machine_and_idleness_takes_it_away(tmp_path, head):
    address, token = head
    link = configure_link(
        tmp_path,
        address=address,
        nature="good",
        namespace=tmp_path.name,
        token_path=str(token),
        needs={"seat": 1},
        min_seats=1,
        max_seats=2,
    )
    async with RemoteWorkerPool(link, command=QUICK_LINK) as service:
        await until(service.free_worker)
        assert await count_nodes(address, token) == 1

        await service.expect_work(1000.0)
        await until(lambda: sum(status.ready for status in service.worker_statuses) == 2)
        assert await count_nodes(address, token) == 2

        await service.expect_work(0.0)
        await until(lambda: len(service.worker_statuses) == 1)
        kept = service.free_worker()
        async with asyncio.timeout(PATIENCE):
            while await count_nodes(address, token) > 1:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(1)
        assert service.free_worker() == kept
        os.kill(find_pid(kept), 0)
