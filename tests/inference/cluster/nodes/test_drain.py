"""A node that is to be taken away ends what it has and takes nothing new."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from inference.api.messages import JobCancelled, JobFinished, WorkerLost
from inference.api.workers.environment import child_environment
from inference.cluster import seat_host
from inference.cluster.nodes.drain import SeatDrain, count_workers
from inference.cluster.nodes.drain_nodes import is_named
from tests.inference.api.workers.conftest import (
    Stage,
    configure_link,
    find_pid,
    hearing,
    submission,
    until,
)
from tests.inference.api.workers.test_pool import next_of


def trouble_code(service) -> str:
    (status,) = service.worker_statuses
    return status.trouble.code if status.trouble else ""


@pytest.mark.parametrize("file", ["drain", "drain-seat0"])
async def test_a_drained_seat_ends_what_it_has_takes_nothing_and_comes_back(open_pool, node, file):
    async with open_pool() as service:
        stage = Stage(service, node / "outbox" / "seat0")
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))
        await stage.arrive("a")

        (node / file).touch()
        await until(lambda: trouble_code(service) == "cluster.draining")
        assert service.free_worker() is None
        assert count_workers(node) == 1
        stage.finish("a")
        _, finished = await next_of(service, JobFinished)
        async with hearing(service) as events:
            await until(lambda: trouble_code(service) == "cluster.drained")

        assert finished.job_id == "a"
        assert count_workers(node) == 0
        (status,) = service.worker_statuses
        assert (status.ready, status.is_resting) == (False, True)
        assert [model.name for model in status.models] == ["child"]
        with pytest.raises(ProcessLookupError):
            os.kill(find_pid(worker), 0)

        (node / file).unlink()
        assert await stage.free() != worker
        async with hearing(service) as later_events:
            await until(service._events.empty)
        assert not [e for e in events + later_events if isinstance(e, WorkerLost)]


async def test_another_seat_s_file_drains_nothing(open_pool, node):
    (node / "drain-seat1").touch()
    async with open_pool() as service:
        assert await Stage(service, node / "outbox" / "seat0").free()


async def test_a_node_that_was_drained_before_the_link_came_starts_no_worker(open_pool, node):
    (node / "drain").touch()
    async with open_pool() as service:
        await until(lambda: trouble_code(service) == "cluster.drained")
        assert count_workers(node) == 0

        (node / "drain").unlink()
        assert await Stage(service, node / "outbox" / "seat0").free()


async def test_a_job_that_was_on_its_way_is_given_back(tmp_path, node):
    """Both while the worker still has others in hand, and once it has ended."""
    host = seat_host.SeatHost(0, "node", node, on_abandoned=lambda: None)
    await host.attach("s", seat_host._body(configure_link(tmp_path, "good")))
    try:
        await until(lambda: host._pool.free_worker())
        worker = host._pool.free_worker()
        await host.ask_drain(True)
        for is_drained in (False, True):
            number = host._log.last_number
            job = seat_host._body(submission("a" if is_drained else "b"))
            assert await host.take_job("s", worker, job) == seat_host.TAKEN
            assert await host.take_job("s", worker, job) == seat_host.TAKEN
            _, entries = await host.listen("s", number, number)
            (cancelled,) = [seat_host.wire.decode_message(entry[2]) for entry in entries]
            assert isinstance(cancelled, JobCancelled)
            await host.listen("s", number + 1, number + 1)
        assert '"drained"' in await host.describe()
    finally:
        await host.end_worker("s")


def run_drain(folder, *arguments):
    command = [sys.executable, "-m", "inference.cluster.nodes.drain", str(folder), *arguments]
    environment = child_environment(os.environ)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_on_the_node_one_waits_for_the_last_worker_but_not_for_ever(tmp_path):
    drain = SeatDrain(tmp_path, 3)
    drain.note_worker(True)
    waited = run_drain(tmp_path, "drain", "0.1")

    assert (waited.returncode, drain.is_asked) == (1, True)
    assert "1 of its workers" in waited.stdout
    drain.note_worker(False)
    (tmp_path / "seat4.pid").write_text("999999999")  # of one that was killed
    (tmp_path / "seat5.pid").write_text("")
    assert run_drain(tmp_path, "drain", "60").returncode == 0
    assert (run_drain(tmp_path, "undrain", "0").returncode, drain.is_asked) == (0, False)


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("gpu1", True),
        ("10.0.0.2", True),
        ("3f2a91bc", True),
        ("3f2a", False),
        ("gpu", False),
        ("", False),
    ],
)
def test_a_node_is_called_by_its_host_its_address_or_its_id(name, is_found):
    node = {
        "NodeManagerHostname": "gpu1",
        "NodeManagerAddress": "10.0.0.2",
        "NodeID": "3f2a91bc" + "0" * 48,
    }
    assert is_named(node, name) == is_found
