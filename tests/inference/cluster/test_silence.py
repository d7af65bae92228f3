"""A node behind a cable that is pulled: the worst that is neither life nor death."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from inference.api.workers import RemoteWorkerPool
from tests.inference.api.workers.conftest import configure_link, until
from tests.proofs import proof_size

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.cable import Cable, open_cable
from tests.inference.cluster.job_watch import JobWatch, write_photo
from tests.inference.cluster.ray_cluster import RayCluster, open_cluster

pytestmark = [pytest.mark.slow, pytest.mark.proof]

#: With `make prove` the cable is out for longer, too: Ray gives a node up after 64 s.
SILENCES = (6, 25, 90)[: proof_size(1, 3)]
AFTERWARDS = 15.0  # seconds in which a late result would come


@pytest.fixture
def cable() -> Iterator[Cable]:
    with open_cable() as cable:
        if cable is None:
            pytest.skip("no network namespaces can be made here")
        yield cable


@pytest.fixture
def far_cluster(cable) -> Iterator[RayCluster]:
    """Give a head here and a node at the far end of the cable."""
    cluster = open_cluster(cable.head_ip)
    try:
        cluster.join("far", cable.node_ip, launcher=cable.launcher)
        yield cluster
    finally:
        cable.set_state("up")
        cluster.close()


@pytest.mark.parametrize("seconds", SILENCES)
async def test_a_pulled_cable_loses_no_job_and_does_none_twice(
    tmp_path, cable, far_cluster, seconds
):
    link = configure_link(
        tmp_path,
        "unhurried",
        address=far_cluster.address,
        namespace=tmp_path.name,
        token_path=str(far_cluster.token),
        needs={"seat": 1},
        min_seats=2,
        max_seats=2,
    )
    async with RemoteWorkerPool(link) as service:
        await until(lambda: sum(status.ready for status in service.worker_statuses) == 2)
        far_pids = far_cluster.nodes[1].list_processes()
        (worker,) = (
            status.name
            for status in service.worker_statuses
            if int(status.name.split("-")[2]) in far_pids
        )
        watch = JobWatch(service, write_photo(tmp_path))
        await watch.hand_over(worker)
        await watch.watch_until(lambda: watch.step >= 3)

        cable.set_state("down")
        pulled_at = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(watch.watch_until(lambda: False), seconds)
        cable.set_state("up")
        await watch.watch_until(lambda: watch.taken)
        sys.stderr.write(f"Out for {seconds} s, done after {time.monotonic() - pulled_at:.1f} s.\n")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(watch.watch_until(lambda: False), AFTERWARDS)

        assert watch.taken == 1
        assert (watch.attempt, len(watch.losses)) == ((2, 1) if seconds > 64 else (1, 0))
        assert watch.refused == 0
        assert all(not lost.counts for lost in watch.losses)
