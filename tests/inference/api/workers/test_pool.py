from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from dataclasses import replace

import pytest

from bot.support import logging as logs
from inference.api.config import EngineConfig
from inference.api.errors import NoWorker, WireError
from inference.api.messages import (
    JobFinished,
    ModelsChanged,
    StartFailed,
    WorkerLost,
    WorkerPaused,
    WorkerReady,
    WorkerRecovered,
)
from inference.api.notices import Notice
from inference.api.workers.process import WorkerProcess
from tests.inference.api.workers.conftest import COMMAND, PATIENCE, Stage, submission, until


async def next_of(service, kind):
    """Wait for the next event of one type."""
    async with asyncio.timeout(PATIENCE):
        while True:
            worker, event = await service.next_event()
            if isinstance(event, kind):
                return worker, event


async def test_a_worker_is_free_only_once_it_has_said_so(make_service):
    async with make_service("silent", grace_seconds=0) as service:
        await until(lambda: service._slots[0].process)

        (status,) = service.worker_statuses
        assert not status.ready
        assert service.free_worker() is None


async def test_the_emptiest_worker_is_named_first(make_service):
    async with make_service("good", "good", grace_seconds=0) as service:
        await next_of(service, WorkerReady)
        await next_of(service, WorkerReady)
        first = service.free_worker()
        await service.submit_job(first, submission("a"))

        second = service.free_worker()

        assert {status.name for status in service.worker_statuses} == {first, second}
        await service.submit_job(second, submission("b"))
        assert [status.held for status in service.worker_statuses] == [1, 1]


async def test_a_worker_knows_no_secret_of_the_bot(make_service, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("EASEL_DATA_DIR", "elsewhere")

    async with make_service("good", grace_seconds=0) as service:
        _, ready = await next_of(service, WorkerReady)

    assert [name for name in map(str, ready.notes) if name.startswith(("DISCORD", "EASEL"))] == []
    assert Notice("PATH") in ready.notes
    assert Notice("HF_HUB_OFFLINE") in ready.notes


async def test_what_a_worker_says_beside_its_frames_is_logged_as_the_bots_own(
    make_service, monkeypatch
):
    token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE." + "x" * 38
    monkeypatch.setenv("SAID", token)
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook
    logs.configure_logging("INFO", "json", stream)
    try:
        async with make_service("talkative", grace_seconds=0) as service:
            worker, _ = await next_of(service, WorkerLost)
    finally:
        root.handlers[:], sys.excepthook = before[0], before[2]
        root.setLevel(before[1])

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    own = [line for line in lines if line.get("worker") == worker][:3]
    assert [one["event"] for one in own] == ["Loading with [redacted]", "It broke.", "last words"]
    assert (own[1]["level"], own[1]["job"], own[1]["attempt"]) == ("error", "a", 2)
    assert token not in stream.getvalue()


@pytest.mark.parametrize("nature", ["noisy", "talks back", "deep"])
async def test_a_worker_that_speaks_nonsense_is_replaced(make_service, nature):
    async with make_service(nature, grace_seconds=0) as service:
        first, lost = await next_of(service, WorkerLost)
        second, _ = await next_of(service, WorkerLost)

    assert first != second
    assert "was killed by signal 9" in str(lost.reason)


@pytest.mark.parametrize("broken", [WireError("nonsense"), RecursionError(), ValueError("odd")])
async def test_a_worker_that_cannot_be_understood_ends_and_its_jobs_are_lost(
    make_service, tmp_path, monkeypatch, broken
):
    async with make_service("good", grace_seconds=0) as service:
        stage = Stage(service, tmp_path)
        worker = await stage.free()
        process = service._slots[0].process
        await service.submit_job(worker, submission("a"))
        await service.submit_job(worker, submission("b"))

        with monkeypatch.context() as patch:
            patch.setattr("inference.api.wire.decode_message", raise_error(broken))
            stage.finish("a")
            name, lost = await next_of(service, WorkerLost)

        assert (name, lost.jobs) == (worker, (("a", 1), ("b", 1)))
        assert process.is_gone
        assert await stage.free() != worker


def raise_error(error):
    def raise_it(*arguments):
        raise error

    return raise_it


async def test_lines_of_any_shape_are_told_and_the_worker_goes_on(make_service, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with make_service("deep lines", grace_seconds=0) as service:
        stage = Stage(service, tmp_path)
        await service.submit_job(await stage.free(), submission("a"))
        stage.finish("a")
        await next_of(service, JobFinished)

    lines = [record.getMessage() for record in caplog.records if hasattr(record, "worker")]
    assert lines == ["[" * 500_000, "x" * 500_000, "last words"]


async def test_a_line_that_cannot_be_told_does_not_stop_the_worker(
    make_service, tmp_path, monkeypatch
):
    monkeypatch.setattr("inference.api.log_relay.relay_line", raise_error(RecursionError()))
    async with make_service("deep lines", grace_seconds=0) as service:
        stage = Stage(service, tmp_path)
        await service.submit_job(await stage.free(), submission("a"))
        stage.finish("a")

        await next_of(service, JobFinished)


@pytest.mark.parametrize("nature", ["floods", "leaves a child", "stubborn"])
@pytest.mark.parametrize("grace_seconds", [0, 1.5])
async def test_a_stop_with_output_that_nobody_reads_comes_to_its_end(
    tmp_path, nature, grace_seconds
):
    config = EngineConfig(model=nature, outbox=str(tmp_path))
    process = await WorkerProcess.start(config, "worker", COMMAND)
    events = process.read_events()
    assert isinstance(await anext(events), WorkerReady)

    async with asyncio.timeout(PATIENCE):
        await process.stop(grace_seconds)

    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    await events.aclose()


async def test_a_worker_that_ends_with_much_unsaid_is_seen_to_end(tmp_path):
    config = EngineConfig(model="floods", outbox=str(tmp_path))
    process = await WorkerProcess.start(config, "worker", COMMAND)
    await asyncio.sleep(0.5)  # until nothing more fits the pipe
    process.kill()

    async with asyncio.timeout(PATIENCE):
        assert await process.wait_ended() == Notice("worker.killed", signal=9)


async def test_a_worker_that_reads_nothing_is_ended_and_offered_nothing(
    make_service, tmp_path, monkeypatch
):
    monkeypatch.setattr("inference.api.workers.process.WRITE_TIMEOUT_SECONDS", 0.05)
    async with make_service("floods", grace_seconds=0) as service:
        worker = await Stage(service, tmp_path).free()
        much = {"prompt": "x" * 2**21}

        with pytest.raises(NoWorker):
            for number in range(4):
                await service.submit_job(worker, replace(submission(f"{number}"), params=much))

        assert service.free_worker() is None
        with pytest.raises(NoWorker):
            await service.submit_job(worker, submission("next"))


async def test_a_worker_that_keeps_dying_is_started_again_and_again(make_service):
    async with make_service("dies", grace_seconds=0) as service:
        names = {(await next_of(service, WorkerLost))[0] for _ in range(3)}

    assert len(names) == 3


async def test_a_worker_in_trouble_says_why(make_service):
    async with make_service("troubled", grace_seconds=0) as service:
        _, troubled = await next_of(service, StartFailed)
        _, lost = await next_of(service, WorkerLost)

        assert str(troubled.reason) == "There is no such checkpoint."
        assert str(lost.reason) == "The worker ended with code 3."
        assert str(service.worker_statuses[0].trouble) == "There is no such checkpoint."
        assert not service.worker_statuses[0].ready


async def test_a_program_that_is_not_there_is_told_and_tried_again(make_service, tmp_path):
    async with make_service(
        "good", command=(str(tmp_path / "nothing"),), grace_seconds=0
    ) as service:
        trouble = await until(lambda: service.worker_statuses[0].trouble or None)

        assert "could not be started" in str(trouble)
        await until(lambda: len(service._slots[0].breaker._failure_times) > 1 or None)


async def test_the_end_of_a_service_lets_jobs_in_hand_end(make_service, tmp_path):
    async with make_service("good") as service:
        await next_of(service, WorkerReady)

    assert (tmp_path / "stopped").read_text() == "drained"


async def test_a_service_in_a_hurry_says_so(make_service, tmp_path):
    async with make_service("good", grace_seconds=0) as service:
        await next_of(service, WorkerReady)

    assert (tmp_path / "stopped").read_text() == "at once"


async def test_a_worker_that_will_not_end_is_killed(make_service):
    async with make_service("stubborn", grace_seconds=0) as service:
        await next_of(service, WorkerReady)
        pid = service._slots[0].process.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_a_worker_said_before_it_died_is_heard(make_service, tmp_path):
    async with make_service("good", grace_seconds=0) as service:
        stage = Stage(service, tmp_path)
        worker = await stage.free()
        await service.submit_job(worker, submission("a"))
        await service.submit_job(worker, submission("b"))
        stage.finish("a")
        await next_of(service, JobFinished)

        stage.kill()
        _, lost = await next_of(service, WorkerLost)

    assert lost.jobs == (("b", 1),)


async def test_a_job_called_off_takes_no_place_and_is_company_until_that_is_confirmed(
    make_service, tmp_path, monkeypatch
):
    async with make_service("deaf to cancels", grace_seconds=0) as service:
        stage = Stage(service, tmp_path)
        worker = await stage.free()
        for job_id in ("a", "b"):
            await service.submit_job(worker, submission(job_id))
        await service.cancel_job(worker, "a", 1)

        assert service.free_worker() == worker
        stage.kill()
        _, lost = await next_of(service, WorkerLost)
        assert lost.jobs == (("a", 1), ("b", 1))

        monkeypatch.setattr("inference.api.workers.held_jobs.CANCEL_CONFIRM_SECONDS", 0.0)
        worker = await stage.free()
        for job_id in ("c", "d"):
            await service.submit_job(worker, submission(job_id))
        await service.cancel_job(worker, "c", 1)
        stage.kill()
        _, lost = await next_of(service, WorkerLost)
        assert lost.jobs == (("d", 1),)


async def test_one_job_that_ends_worker_after_worker_lets_none_rest(make_service, tmp_path):
    async with make_service("good", grace_seconds=0, open_seconds=3600.0) as service:
        stage = Stage(service, tmp_path)
        for attempt in range(1, 6):
            await service.submit_job(await stage.free(), submission("poison", attempt))
            stage.kill()
            await next_of(service, WorkerLost)

        assert await stage.free()


async def test_a_dead_process_takes_no_command(tmp_path):
    config = EngineConfig(model="good", outbox=str(tmp_path))
    process = await WorkerProcess.start(config, "worker", COMMAND)
    process.kill()
    await process.wait_ended()

    with pytest.raises(NoWorker):
        await process.send_command(submission())
    await process.stop(1)


async def test_a_process_that_ends_at_once_has_nothing_to_say(tmp_path):
    command = (sys.executable, "-c", "import sys; sys.stdin.buffer.read(1); sys.exit(7)")
    process = await WorkerProcess.start(EngineConfig(), "worker", command)

    assert [event async for event in process.read_events()] == []
    assert await process.wait_ended() == Notice("worker.ended", status=7)


async def test_a_worker_that_keeps_dying_rests_is_tried_once_and_trusted_again(
    make_service, tmp_path
):
    async with make_service("dies four times", grace_seconds=0, open_seconds=0.05) as service:
        for _ in range(2):  # after the third death, and after the fourth, which was the one try
            name, resting = await next_of(service, WorkerPaused)
            assert (name, resting.seconds) == ("worker0", 0.05)
            assert "was killed by signal 9" in str(resting.reason)
        await next_of(service, WorkerReady)
        stage = Stage(service, tmp_path)
        await service.submit_job(await stage.free(), submission("a"))
        stage.finish("a")

        recovered, _ = await next_of(service, WorkerRecovered)

        assert recovered == "worker0"
        assert service.worker_statuses[0].trouble is None


async def test_a_worker_that_rests_is_not_free_and_says_why(make_service):
    async with make_service("dies", grace_seconds=0, open_seconds=3600.0) as service:
        await next_of(service, WorkerPaused)

        (status,) = service.worker_statuses
        assert service.free_worker() is None
        assert "keeps ending" in str(status.trouble)
        assert status.is_resting


async def test_what_a_worker_says_of_its_models_is_known_until_it_says_otherwise(make_service):
    async with make_service("resident", grace_seconds=0) as service:
        await next_of(service, ModelsChanged)
        (status,) = service.worker_statuses
        assert status.resident == {"", "child"}
        assert [model.digest for model in status.models] == ["abc"]

        service._slots[0].process.kill()
        await next_of(service, WorkerLost)
        (status,) = service.worker_statuses
        assert not status.ready
        assert status.resident == frozenset()
        assert [model.name for model in status.models] == ["child"]
