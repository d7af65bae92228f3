"""What holds for workers of this machine holds for those on a Ray cluster."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from inference.api.commands import SubmitJob
from inference.api.config import EngineConfig
from inference.api.messages import (
    JobFailed,
    JobFinished,
    JobProgress,
    JobsFound,
    StartFailed,
    WorkerLost,
)
from inference.api.version import find_version
from inference.api.workers import LocalWorkerPool, RemoteWorkerPool
from tests.doubles.images import encoded, noise
from tests.inference.api.workers.child import TALLY_FILE
from tests.inference.api.workers.conftest import Stage, configure_link, find_pid, until
from tests.inference.api.workers.test_pool import next_of
from tests.inference.api.workers.test_protocol import *  # noqa: F403 - its tests, over Ray

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.job_watch import JobWatch, write_photo
from tests.inference.cluster.ray_cluster import (
    RayCluster,
    find_parent,
    list_descendants,
    shared_cluster,
)
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> RayCluster:
    return shared_cluster()


def connect_link(cluster: RayCluster, tmp_path, nature="good", **more):
    settings = {
        "address": cluster.address,
        "namespace": tmp_path.name,
        "token_path": str(cluster.token),
        "needs": {"seat": 1},
    }
    return configure_link(tmp_path, nature, **(settings | more))


@pytest_asyncio.fixture
async def stage(tmp_path, cluster) -> AsyncIterator[Stage]:
    async with RemoteWorkerPool(connect_link(cluster, tmp_path)) as service:
        yield Stage(service, cluster.head.folder / "outbox" / "seat0")
        end_actors(service)


def end_actors(service: RemoteWorkerPool) -> None:
    """End the actors, which would stay for the next link, and take the place of the next test's."""
    for status in service.worker_statuses:
        if status.node:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.kill(find_parent(find_pid(status.name)), signal.SIGKILL)


def starter_job(image: Path, job_id: str) -> SubmitJob:
    """Ask the starter model for a picture of a list's word, with looks at it unfinished."""
    params = {"prompt": "a red __fruit__", "steps": 5, "seed": 7, "strength": 0.8}
    inputs = {"image": str(image)}
    return SubmitJob(job_id=job_id, attempt=1, kind="img2img", params=params, inputs=inputs)


def read(path: str) -> bytes:
    return Path(path).read_bytes()


async def run_job(service, job: SubmitJob) -> tuple[bytes, str, list[bytes]]:
    """Run a job; return its picture's bytes, its infotext and the bytes of its previews."""
    worker = await until(service.free_worker)
    await service.submit_job(worker, job)
    previews = []
    while True:
        _, event = await asyncio.wait_for(service.next_event(), PATIENCE)
        if isinstance(event, JobProgress) and event.preview:
            previews.append(read(event.preview))
        assert not isinstance(event, JobFailed | WorkerLost)
        if isinstance(event, JobFinished):
            (image,) = event.images
            return read(image.path), image.infotext, previews


async def test_a_job_comes_out_of_the_cluster_with_the_same_bytes(tmp_path, cluster):
    image = tmp_path / "photo.png"
    image.write_bytes(encoded(noise((128, 128))))
    local_outbox = tmp_path / "local"
    lists = tmp_path / "wildcards"
    lists.mkdir()
    (lists / "fruit.txt").write_text("apple\npear\nplum\n")
    config = EngineConfig(
        outbox=str(local_outbox),
        wordlists_dir=str(lists),
        threads=1,
        device="cpu",
        preview_every=2,
    )
    async with LocalWorkerPool((config,), grace_seconds=0) as local_service:
        local = await run_job(local_service, starter_job(image, "a"))
    link = connect_link(cluster, tmp_path, worker_command=())
    config = replace(config, outbox=str(tmp_path / "outbox"))
    async with RemoteWorkerPool(replace(link, config=config)) as service:
        remote = await run_job(service, starter_job(image, "a"))
        end_actors(service)

    assert remote == local
    assert remote[2], "no preview came"
    assert not remote[1].startswith("a red __fruit__")


@pytest.fixture
def photo(tmp_path) -> Path:
    return write_photo(tmp_path)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def kill_worker_process(service):
    os.kill(find_pid(service.worker_statuses[0].name), signal.SIGKILL)


def kill_actor(service):
    os.kill(find_parent(find_pid(service.worker_statuses[0].name)), signal.SIGKILL)


def kill_link(service):
    os.kill(service._link.pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_worker_process, kill_actor, kill_link])
async def test_whatever_is_killed_a_job_in_hand_ends_once(tmp_path, cluster, photo, kill):
    async with RemoteWorkerPool(connect_link(cluster, tmp_path, "unhurried")) as service:
        watch = JobWatch(service, photo)
        await watch.hand_over()
        await watch.watch_until(lambda: watch.step >= 3)
        first_pid = find_pid(watch.worker)

        kill(service)
        await watch.watch_until(lambda: watch.taken)

        assert (watch.taken, watch.refused) == (1, 0)
        if kill is kill_link:  # which leaves the worker and what it has in hand as they were
            assert (watch.attempt, watch.losses) == (1, [])
            assert find_pid(watch.worker) == first_pid
            assert count_begun(cluster, watch.worker) == 1
        else:
            (lost,) = watch.losses
            assert (watch.attempt, lost.jobs) == (2, (("a", 1),))
            assert lost.counts == (kill is kill_worker_process)
            await until(lambda: not is_running(first_pid))
        end_actors(service)


async def test_a_bot_that_starts_anew_finds_the_worker_and_the_job_it_goes_on_with(
    tmp_path, cluster, photo
):
    link = connect_link(cluster, tmp_path, "unhurried")
    async with RemoteWorkerPool(link) as service:
        watch = JobWatch(service, photo)
        await watch.hand_over()
        await watch.watch_until(lambda: watch.step >= 3)
        first_worker = watch.worker

    async with RemoteWorkerPool(link) as service:
        watch.service = service
        name, found = await next_of(service, JobsFound)
        assert (name, found.jobs) == (first_worker, (("a", 1),))
        await watch.watch_until(lambda: watch.taken)

        assert (watch.taken, watch.refused, watch.losses) == (1, 0, [])
        assert count_begun(cluster, watch.worker) == 1
        end_actors(service)


async def test_a_result_that_no_bot_has_recorded_comes_again(tmp_path, cluster, photo):
    """The bot ended when it had heard of it, before it could have written it down."""
    link = connect_link(cluster, tmp_path, "unhurried")
    async with RemoteWorkerPool(link) as service:
        watch = JobWatch(service, photo, steps=3)
        await watch.hand_over()
        _, finished = await next_of(service, JobFinished)
        kill_link(service)

    async with RemoteWorkerPool(link) as service:
        name, found = await next_of(service, JobsFound)
        _, again = await next_of(service, JobFinished)

        assert (name, found.jobs) == (watch.worker, (("a", 1),))
        assert read(again.images[0].path) == read(finished.images[0].path)
        asking = asyncio.ensure_future(service.next_event())  # as who has written it down
        outbox = cluster.head.folder / "outbox" / "seat0"
        await until(lambda: not list(outbox.glob("*.png")))
        asking.cancel()
        end_actors(service)


def count_begun(cluster: RayCluster, worker: str) -> int:
    """Count how many jobs a worker has begun, by its own tally."""
    lines = (cluster.head.folder / "outbox" / TALLY_FILE).read_text().splitlines()
    deeds = [line.split() for line in lines]
    return sum(deed[1] == "begun" and int(deed[4]) == find_pid(worker) for deed in deeds)


async def test_a_wrong_token_is_refused_with_words(tmp_path, cluster):
    wrong_token = tmp_path / "token"
    wrong_token.write_text("0" * 64)
    link = connect_link(cluster, tmp_path, token_path=str(wrong_token))
    async with RemoteWorkerPool(link) as service:
        _, failed = await next_of(service, StartFailed)

        assert failed.reason.code == "cluster.not_joined"
        assert cluster.address in str(failed.reason)
        (status,) = service.worker_statuses
        assert (status.ready, status.is_resting, status.trouble) == (False, True, failed.reason)


async def test_a_node_without_models_is_refused_with_words(tmp_path, cluster):
    models = cluster.head.folder / "models"
    models.rename(models.with_name("elsewhere"))
    try:
        async with RemoteWorkerPool(connect_link(cluster, tmp_path)) as service:
            _, failed = await next_of(service, StartFailed)
    finally:
        models.with_name("elsewhere").rename(models)

    assert failed.reason.code == "cluster.no_folder"
    assert str(models) in str(failed.reason)


async def test_a_node_with_another_easel_is_refused_with_both_versions(tmp_path, cluster):
    async with RemoteWorkerPool(connect_link(cluster, tmp_path, version="9.9.9")) as service:
        _, failed = await next_of(service, StartFailed)

        assert failed.reason.code == "cluster.other_version"
        assert {"9.9.9", find_version()} <= set(re.findall(r"[\d.]+\d", str(failed.reason)))


async def test_a_seat_waits_for_the_node_that_joins_and_outlives_the_one_that_dies(
    tmp_path, cluster, photo, request
):
    link = connect_link(cluster, tmp_path, "unhurried", min_seats=2, max_seats=2)
    request.addfinalizer(cluster.end_seats)  # one waits for a place, and would take the next
    async with RemoteWorkerPool(link) as service:
        await until(service.free_worker)
        assert sum(status.ready for status in service.worker_statuses) == 1

        second = cluster.join(f"second{os.getpid()}")
        await until(lambda: sum(status.ready for status in service.worker_statuses) == 2)
        (worker,) = [
            status.name
            for status in service.worker_statuses
            if find_parent(find_pid(status.name)) in list_descendants(second.process.pid)
        ]
        watch = JobWatch(service, photo)
        await watch.hand_over(worker)
        await watch.watch_until(lambda: watch.step >= 3)
        pid = find_pid(worker)
        os.kill(second.find_raylet(), signal.SIGKILL)
        await watch.watch_until(lambda: watch.taken)

        assert (watch.taken, watch.refused, watch.attempt) == (1, 0, 2)
        assert [lost.counts for lost in watch.losses] == [False]
        assert watch.worker != worker
        await until(lambda: not is_running(pid))
        second.end()
        end_actors(service)
