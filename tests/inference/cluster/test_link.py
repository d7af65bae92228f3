"""The way through the link, without Ray: files, silences, deaths, strangers."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from inference.api import wire
from inference.api.commands import FinishedPart, SubmitJob
from inference.api.errors import NoWorker
from inference.api.messages import JobCancelled, JobFailed, JobFinished, StartFailed, WorkerLost
from inference.cluster import seat_host
from tests.doubles.images import encoded, noise
from tests.inference.api.workers.conftest import (
    Stage,
    configure_link,
    submission,
    until,
)
from tests.inference.api.workers.test_pool import next_of


def stage_of(service, node) -> Stage:
    return Stage(service, node / "outbox" / "seat0")


def write_picture(folder: Path) -> Path:
    """Write a picture of noise: no PNG makes it small."""
    path = folder / "blob"
    path.write_bytes(encoded(noise((300, 200))))
    return path


def picture_job(path: Path, job_id: str = "a", **more) -> SubmitJob:
    return SubmitJob(
        job_id=job_id,
        attempt=1,
        kind="img2img",
        params={"steps": 2},
        inputs={"image": str(path)},
        **more,
    )


async def test_pictures_go_to_the_node_and_back_and_nothing_stays_there(open_pool, tmp_path, node):
    picture = tmp_path / "blob"
    picture.write_bytes(encoded(noise((300, 200))))
    async with open_pool("eager") as service:
        worker = await stage_of(service, node).free()
        parts = (
            FinishedPart(number=0, mark="m", path=str(picture)),
            FinishedPart(number=1, mark="m", path=str(tmp_path / "gone")),
        )
        await service.submit_job(worker, picture_job(picture, parts=parts))
        _, finished = await next_of(service, JobFinished)
        (image,) = finished.images

        assert image.path.startswith(f"{tmp_path}/outbox/tmp")
        assert read(image.path) == encoded(noise((300, 200)))
        assert list(node.rglob("*.png")), "it must stay until the bot has recorded it"
        asking = asyncio.ensure_future(service.next_event())  # as who has
        await until(lambda: not list(node.rglob("*.png")) or None)
        asking.cancel()
        assert list(node.glob("inbox/seat0/*")) == []
        assert picture.exists()


def read(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_a_file_of_many_pieces_arrives_whole(tmp_path):
    """In calls of its own, on a host whose every second answer gets lost."""
    host = seat_host.SeatHost(0, "node", tmp_path / "node", on_abandoned=lambda: None)
    frame = configure_link(tmp_path, "silent")
    await host.attach("s", seat_host._body(frame))
    data = os.urandom(70_000)
    try:
        for offset in range(0, len(data), 20_000):
            piece = data[offset : offset + 20_000]
            assert await host.write_piece("s", "x", offset, piece) == ""
            assert await host.write_piece("s", "x", 0, data[:20_000]) == ""
        assert (tmp_path / "node" / "inbox" / "seat0" / "x").read_bytes() == data
        assert await host.write_piece("other", "x", 0, b"") == seat_host.STALE_SESSION
        for name in ("../x", "a/b", "", "..", "/etc/passwd"):
            with pytest.raises(ValueError, match="no name of a file"):
                await host.read_piece("s", name, 0)
    finally:
        await host.end_worker("s")


async def test_a_picture_that_is_gone_fails_its_job_alone(open_pool, tmp_path, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("b"))
        await service.submit_job(worker, picture_job(tmp_path / "gone"))

        name, failed = await stage.event()

        assert (name, type(failed), failed.job_id) == (worker, JobFailed, "a")
        stage.fail("b")
        assert (await stage.event())[1].job_id == "b"


async def test_a_full_disk_hands_the_job_back_and_gets_no_other(open_pool, tmp_path, node):
    picture = tmp_path / "blob"
    picture.write_bytes(encoded(noise((30, 20))))
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        (node / "full").touch()
        await service.submit_job(worker, picture_job(picture))

        event = await stage.event()

        assert event == (worker, JobCancelled(job_id="a", attempt=1))
        (status,) = service.worker_statuses
        assert (status.ready, status.is_resting) == (False, True)
        assert "No space left on device" in str(status.trouble)


async def test_a_silent_node_is_offered_nothing_and_loses_nothing(open_pool, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))
        (node / "silent").touch()
        await until(lambda: service.free_worker() is None or None)
        with pytest.raises(NoWorker):
            await service.submit_job(worker, submission("b"))
        stage.finish("a")

        (node / "silent").unlink()
        _, finished = await next_of(service, JobFinished)

        assert (finished.job_id, finished.attempt) == ("a", 1)
        assert await stage.free() == worker


async def test_unavailable_is_not_dead(open_pool, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))
        (node / "unavailable").touch()
        await until(lambda: service.free_worker() is None or None)
        stage.finish("a")
        (node / "unavailable").unlink()

        name, finished = await next_of(service, JobFinished)

        assert (name, finished.job_id) == (worker, "a")


async def test_a_node_that_dies_is_no_fault_of_its_jobs(open_pool, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))

        (node / "die").touch()
        name, lost = await next_of(service, WorkerLost)

        assert (name, lost.worker, lost.jobs, lost.counts) == (worker, worker, (("a", 1),), False)
        assert await stage.free() != worker


async def test_a_worker_of_a_silent_node_can_be_ended(open_pool, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))
        (node / "silent").touch()
        await until(lambda: service.free_worker() is None or None)

        await service.kill_worker(worker)
        name, lost = await next_of(service, WorkerLost)
        (node / "silent").unlink()

        assert (name, lost.jobs) == (worker, (("a", 1),))
        assert await stage.free() != worker


async def test_a_link_that_is_killed_loses_its_workers_and_another_comes(open_pool, node):
    async with open_pool() as service:
        stage = stage_of(service, node)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))

        os.kill(service._link.pid, signal.SIGKILL)
        name, lost = await next_of(service, WorkerLost)

        assert (name, lost.jobs, lost.counts) == (worker, (("a", 1),), False)
        assert await stage.free() != worker


async def test_another_easel_is_refused_with_both_versions(open_pool):
    async with open_pool(version="9.9.9") as service:
        _, failed = await next_of(service, StartFailed)

        (status,) = service.worker_statuses
        assert status.trouble == failed.reason
        assert "9.9.9" in str(failed.reason)
        assert seat_host.find_version() in str(failed.reason)
        assert service.free_worker() is None


async def test_a_link_that_comes_later_takes_the_seat_and_keeps_the_worker(tmp_path, node):
    """With what it has in hand; what the earlier link still asks for is not heard."""
    host = seat_host.SeatHost(0, "node", node, on_abandoned=lambda: None)
    frame = seat_host._body(configure_link(tmp_path, "good"))
    try:
        await host.attach("first", frame)
        worker = await ready_worker(host, "first")
        job = seat_host._body(submission("a"))
        assert await host.take_job("first", worker, job) == seat_host.TAKEN
        assert await host.take_job("first", worker, job) == seat_host.TAKEN

        report, found_jobs = await host.attach("second", frame)

        assert found_jobs == [(worker, "a", 1)]
        assert wire.decode_message(report).name == await ready_worker(host, "second") == worker
        assert await host.listen("first", 0, 0) == (b"", [])
        assert await host.take_job("first", worker, job) == seat_host.STALE_SESSION
        assert await host.take_job("second", worker, job) == seat_host.TAKEN
        (node / "outbox" / "seat0" / "a.finish").touch()
        await until(lambda: any(isinstance(e.event, JobFinished) for e in host._log.entries))
        (entry,) = [entry for entry in host._log.entries if isinstance(entry.event, JobFinished)]

        # What ended without being taken is told, and then it is as if it had never been here.
        assert (await host.attach("third", frame))[1] == [(worker, "a", 1)]
        _, entries = await host.listen("third", 0, 0)
        assert [e[2] for e in entries if e[0] == entry.number] == [seat_host._body(entry.event)]
        host._log.take_until(entry.number)
        assert (await host.attach("fourth", frame))[1] == []
        assert await host.take_job("fourth", worker, job) == seat_host.TAKEN
        await until(lambda: host._jobs)
    finally:
        await host.end_worker(host._session)


async def ready_worker(host, session) -> str:
    await until(lambda: host._pool.free_worker())
    return host._pool.free_worker()
