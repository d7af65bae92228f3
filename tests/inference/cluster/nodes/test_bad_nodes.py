"""Nodes that are not as they should be: told to the one who can mend it, and no job is lost."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from inference.api import wire
from inference.api.messages import JobCancelled, StartFailed, WorkerEvent, WorkerReady
from inference.api.workers.environment import child_environment
from inference.cluster import seat_host
from tests.inference.api.workers.conftest import Stage, configure_link, until
from tests.inference.api.workers.test_pool import next_of
from tests.inference.cluster.test_link import picture_job, write_picture

CLUSTER = Path(seat_host.__file__).parent


@pytest.fixture
def small_disk(node):
    """A node's folder with a disk of 1 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(node)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield node
    subprocess.run(["umount", "-l", str(node)], check=True)


async def test_a_disk_that_is_really_full_gives_the_job_back_and_says_so(
    open_pool, tmp_path, small_disk
):
    async with open_pool("eager") as service:
        worker = await Stage(service, small_disk / "outbox" / "seat0").free()
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        await service.submit_job(worker, picture_job(write_picture(tmp_path)))

        _, event = await next_of(service, JobCancelled)

        assert (event.job_id, event.attempt) == ("a", 1)
        (status,) = service.worker_statuses
        assert (status.ready, status.trouble.code) == (False, "cluster.disk_full")
        assert "No space left on device" in str(status.trouble)
        assert list((small_disk / "inbox" / "seat0").iterdir()) == []


async def test_lists_that_find_no_room_keep_the_worker_from_jobs(open_pool, tmp_path, small_disk):
    lists = tmp_path / "wildcards"
    lists.mkdir()
    (lists / "long.txt").write_text("word\n" * 400_000)
    async with open_pool(wordlists_dir=str(lists)) as service:
        _, failed = await next_of(service, StartFailed)

        assert failed.reason.code == "cluster.disk_full"
        assert service.free_worker() is None


def read_failure(command, config, environment) -> StartFailed:
    """Run a link that cannot start, and read what it says of it."""
    frame = wire.encode_message(config)
    done = subprocess.run(command, input=frame, env=environment, capture_output=True, check=False)
    event = wire.decode_message(done.stdout[wire.FRAME_HEADER.size :])
    assert isinstance(event, WorkerEvent)
    failed = wire.from_fields(event.event)
    assert isinstance(failed, StartFailed)
    return failed


def test_without_ray_the_link_names_the_extra(tmp_path):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise ImportError('No module named ray')\n")
    environment = child_environment(os.environ)
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    command = [sys.executable, "-m", "inference.cluster"]
    failed = read_failure(command, configure_link(tmp_path, "good"), environment)

    assert failed.reason.code == "cluster.not_installed"
    assert "`cluster`" in str(failed.reason)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra: cluster)")
def test_a_head_that_takes_the_call_and_never_answers_is_given_up(tmp_path):
    token = tmp_path / "token"
    token.write_text("0" * 64)
    link = "from inference.cluster import __main__ as link; link.JOIN_SECONDS = 3.0; link.main()"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        config = configure_link(tmp_path, "good", address=address, token_path=str(token))
        failed = read_failure([sys.executable, "-c", link], config, child_environment(os.environ))

    assert failed.reason.code == "cluster.not_joined"
    assert "no answer in 3 s" in str(failed.reason)


async def test_what_a_worker_lacks_there_is_told_with_its_name(open_pool, node):
    """An extra that a node lacks is a note of its worker, and nothing that it offers."""
    async with open_pool("sees") as service:
        worker, ready = await next_of(service, WorkerReady)

        assert worker.startswith("node/seat0-")
        assert [note.code for note in ready.notes if note.code.startswith("device=")]
        (status,) = service.worker_statuses
        assert (status.notes, status.models) == (ready.notes, ready.models)


async def test_a_worker_that_cannot_start_on_a_node_is_told_with_its_reason(open_pool):
    async with open_pool("troubled") as service:
        worker, failed = await next_of(service, StartFailed)

        assert worker.startswith("node/seat0-")
        assert "no such checkpoint" in str(failed.reason)
        await until(lambda: service.worker_statuses[0].trouble)
        assert service.worker_statuses[0].trouble == failed.reason


def test_nothing_between_machines_goes_by_the_wall_clock():
    """Clocks of nodes differ; who says what time it is tells it to people alone."""
    users = set()
    for path in CLUSTER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id="time"), attr="time"):
                    users.add(path.name)
                case ast.Name(id="datetime"):
                    users.add(path.name)

    assert users == {"seat_host.py", "show_nodes.py"}
    source = (CLUSTER / "seat_host.py").read_text(encoding="utf-8")
    assert source.count("time.time()") == source.count('"now": time.time()') == 1


async def test_an_hour_off_a_node_works_as_any_other(tmp_path, node, monkeypatch):
    monkeypatch.setattr(seat_host.time, "time", lambda: 0.0)
    host = seat_host.SeatHost(0, "node", node, on_abandoned=lambda: None)
    await host.attach("s", seat_host._body(configure_link(tmp_path, "good")))
    try:
        await until(lambda: host._pool.free_worker())
        assert '"now": 0.0' in await host.describe()
        report, _ = await host.listen("s", 0, 0)
        assert wire.decode_message(report).ready
    finally:
        await host.end_worker("s")
