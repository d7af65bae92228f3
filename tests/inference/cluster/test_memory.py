"""However many large pictures go to a node and back: nothing of them stays anywhere."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import pytest

from inference.api.commands import EventTaken, SubmitJob, WorkerCommand
from inference.api.messages import JobFinished, SeatReport, WorkerEvent
from inference.api.wire import (
    FRAME_HEADER,
    decode_message,
    encode_message,
    from_fields,
    to_fields,
)
from inference.api.workers import RemoteWorkerPool
from inference.cluster.link import ClusterLink
from inference.cluster.seat_host import SeatHost
from tests.inference.api.workers.conftest import configure_link, find_pid, until
from tests.inference.api.workers.test_pool import next_of
from tests.patience import PATIENCE
from tests.proofs import proof_size

JOBS = proof_size(30, 100)
#: Jobs before the first look: what is made once is there by then.
FIRST_JOBS = 10
BYTES = 8 * 2**20
#: What all later jobs together may leave: less than one picture.
MAX_GROWTH = 4 * 2**20  # bytes
#: The same of a process, whose allocator keeps some of what was freed.
MAX_PROCESS_GROWTH = 8 * BYTES


def large_job(path: Path, number: int) -> SubmitJob:
    inputs = {"image": str(path)}
    params = {"steps": 1}
    return SubmitJob(job_id=f"j{number}", attempt=1, kind="img2img", params=params, inputs=inputs)


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(BYTES))
    return path


def take_away(finished: JobFinished) -> None:
    (image,) = finished.images
    path = Path(image.path)
    assert path.stat().st_size == BYTES
    path.unlink()


class DirectTransport:
    """Calls a host in this process."""

    def __init__(self, host: SeatHost) -> None:
        self._host = host

    async def call_host(self, method: str, *arguments):
        return await getattr(self._host, method)(*arguments)

    def destroy_host(self) -> None:
        raise AssertionError("the host is well")


async def test_link_and_host_keep_nothing_of_jobs_that_are_done(tmp_path, picture):
    host = SeatHost(0, "node", tmp_path / "node", on_abandoned=lambda: None)
    messages: asyncio.Queue = asyncio.Queue()

    class Sender:
        def send_event(self, message) -> None:
            messages.put_nowait(message)

    async def open_transport(seat: int) -> DirectTransport:
        return DirectTransport(host)

    link = ClusterLink(configure_link(tmp_path, "copies"), Sender(), open_transport)
    link._open_seat(0)
    worker = ""
    while not worker:
        match await messages.get():
            case SeatReport(ready=True, name=name):
                worker = name

    async def run_job(number: int) -> None:
        command = WorkerCommand(worker=worker, command=to_fields(large_job(picture, number)))
        link._run_command(decode_message(encode_message(command)[FRAME_HEADER.size :]))
        while True:
            match await messages.get():
                case WorkerEvent(event=fields, receipt=receipt) if receipt:
                    link._run_command(EventTaken(receipt=receipt))
                    finished = from_fields(json.loads(json.dumps(fields)))
                    assert isinstance(finished, JobFinished)
                    take_away(finished)
                    return

    async def measure() -> tuple[int, int]:
        folders = [tmp_path / "node" / name for name in ("inbox", "outbox")]
        await until(lambda: not host._jobs and not any(map(_files_below, folders)))
        gc.collect()
        return tracemalloc.get_traced_memory()[0], len(gc.get_objects())

    tracemalloc.start()
    try:
        for number in range(FIRST_JOBS):
            await run_job(number)
        first_bytes, first_objects = await measure()
        for number in range(FIRST_JOBS, JOBS):
            await run_job(number)
        last_bytes, last_objects = await measure()
    finally:
        tracemalloc.stop()
        link._seats[0][1].cancel()
        await host._close_pool()

    assert last_bytes - first_bytes < MAX_GROWTH
    assert last_objects - first_objects < 10 * (JOBS - FIRST_JOBS)  # names, no pictures


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra: cluster)")
async def test_nodes_and_their_stores_keep_nothing_of_jobs_that_are_done(tmp_path, picture):
    from tests.inference.cluster.ray_cluster import open_cluster

    cluster = open_cluster()
    try:
        link = configure_link(
            tmp_path,
            "copies",
            address=cluster.address,
            namespace=tmp_path.name,
            token_path=str(cluster.token),
            needs={"seat": 1},
        )
        async with RemoteWorkerPool(link) as service:
            worker = await until(service.free_worker)
            pids = [service._link.pid, parent_of(find_pid(worker))]

            async def run_jobs(numbers: range) -> None:
                for number in numbers:
                    await service.submit_job(worker, large_job(picture, number))
                    _, finished = await next_of(service, JobFinished)
                    take_away(finished)

            async def measure() -> tuple[int, list[int]]:
                asking = asyncio.ensure_future(service.next_event())  # as who has recorded the last
                await until(lambda: not _files_below(cluster.head.folder / "outbox" / "seat0"))
                asking.cancel()
                store_bytes = await asyncio.to_thread(read_store, cluster)
                return store_bytes, [read_memory(pid) for pid in pids]

            await run_jobs(range(FIRST_JOBS))
            first_bytes, first_memory = await measure()
            await run_jobs(range(FIRST_JOBS, JOBS))
            last_bytes, last_memory = await measure()
        sys.stderr.write(
            f"{JOBS} jobs: stores {first_bytes} to {last_bytes} bytes, link and host "
            f"{first_memory} to {last_memory} bytes\n"
        )

        assert not _files_below(cluster.head.folder / "inbox")
        assert last_bytes < BYTES
        for first, last in zip(first_memory, last_memory, strict=True):
            assert last - first < MAX_PROCESS_GROWTH
    finally:
        cluster.close()


READ_STORE = """
import sys, ray, time
ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)
while True:
    name = "object_store_memory"
    used_bytes = ray.cluster_resources()[name] - ray.available_resources().get(name, 0)
    if used_bytes < int(sys.argv[2]) or time.monotonic() > float(sys.argv[3]):
        break
    time.sleep(0.2)
print(int(used_bytes))
"""


def read_store(cluster) -> int:
    """Read how many bytes lie in Ray's stores, once they are fewer than a picture's."""
    from inference.cluster.ray_environment import make_ray_variables

    environment = {**os.environ, **make_ray_variables(str(cluster.token))}
    arguments = [cluster.address, str(BYTES), str(time.monotonic() + PATIENCE)]
    command = [sys.executable, "-c", READ_STORE, *arguments]
    return int(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def read_memory(pid: int) -> int:
    """Read how many bytes a process has of its own, Ray's shared store aside."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (anonymous,) = (line.split()[1] for line in lines if line.startswith("RssAnon"))
    return int(anonymous) * 1024


def parent_of(pid: int) -> int:
    from tests.inference.cluster.ray_cluster import find_parent

    return find_parent(pid)


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
