"""A head that is not there, or is killed with everything on its machine and comes back."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from inference.api.messages import StartFailed
from inference.api.workers import RemoteWorkerPool
from tests.inference.api.workers.conftest import configure_link, until
from tests.inference.api.workers.test_pool import next_of

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.job_watch import JobWatch, write_photo
from tests.inference.cluster.ray_cluster import open_cluster

pytestmark = [pytest.mark.slow, pytest.mark.proof]


async def test_a_head_that_is_killed_and_started_again_ends_the_job_once(tmp_path):
    cluster = open_cluster()
    try:
        link = configure_link(
            tmp_path,
            "unhurried",
            address=cluster.address,
            namespace=tmp_path.name,
            token_path=str(cluster.token),
            needs={"seat": 1},
        )
        async with RemoteWorkerPool(link) as service:
            watch = JobWatch(service, write_photo(tmp_path))
            await watch.hand_over()
            await watch.watch_until(lambda: watch.step >= 3)

            cluster.nodes.pop().kill()
            await until(lambda: service.free_worker() is None)
            _, failed = await next_of(service, StartFailed)
            assert failed.reason.code == "cluster.not_joined"
            (status,) = service.worker_statuses
            assert (status.ready, status.is_resting) == (False, True)
            cluster.start_head()
            await watch.hand_over()
            await watch.watch_until(lambda: watch.taken)

            assert (watch.taken, watch.refused, watch.attempt) == (1, 0, 2)
    finally:
        cluster.close()


async def test_a_head_that_is_not_there_is_named(tmp_path):
    link = configure_link(tmp_path, "good", address="127.0.0.1:9")
    async with RemoteWorkerPool(link) as service:
        _, failed = await next_of(service, StartFailed)

        assert failed.reason.code == "cluster.not_joined"
        assert "127.0.0.1:9" in str(failed.reason)
