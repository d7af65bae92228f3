"""Several workers between the store and the dispatcher: who is given what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from inference.api.errors import NoWorker
from inference.api.jobs import Img2ImgJob
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    ModelInfo,
    ResidentModels,
    WorkerLost,
)
from inference.api.notices import Notice
from inference.api.workers.protocol import WorkerStatus
from storage.records import JobState
from tests.bot.dispatcher.conftest import Line, until

SD = "diffusion"


class Fleet:
    """Workers that do what the test says."""

    def __init__(self) -> None:
        self.statuses: dict[str, WorkerStatus] = {}
        self.held: dict[str, dict[str, int]] = {}
        #: Which jobs a worker was ever given, in order.
        self.given: list[tuple[str, str]] = []
        self._events: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()

    def put(self, name: str, *models: str, resident: str = "", **more: object) -> None:
        infos = tuple(ModelInfo(name=model, kind=SD, size=512) for model in models)
        self.held.setdefault(name, {})
        self.statuses[name] = WorkerStatus(
            name=name,
            held=0,
            models=infos,
            resident=frozenset(resident.split()),
            **{"ready": True, "capacity": 16, **more},
        )

    def tell_resident(self, name: str, *resident: str) -> None:
        self.statuses[name] = replace(self.statuses[name], resident=frozenset(resident))
        self._say(name, ResidentModels(names=resident))

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        return tuple(
            replace(status, held=len(self.held[name])) for name, status in self.statuses.items()
        )

    def free_worker(self) -> str | None:
        free = [s.name for s in self.worker_statuses if s.ready and s.held < s.capacity]
        return next(iter(free), None)

    async def submit_job(self, worker, submission) -> None:
        if not self.statuses[worker].ready:
            raise NoWorker
        self.held[worker][submission.job_id] = submission.attempt
        self.given.append((worker, submission.params["model"]))

    async def cancel_job(self, worker, job_id, attempt, *, keep=False) -> None:
        if self.held[worker].pop(job_id, None) is not None:
            self._say(worker, JobCancelled(job_id=job_id, attempt=attempt))

    async def kill_worker(self, worker) -> None:
        self.lose(worker)

    async def next_event(self):
        return await self._events.get()

    def finish(self, worker: str) -> None:
        """End the job that a worker was given first."""
        job_id = next(iter(self.held[worker]))
        attempt = self.held[worker].pop(job_id)
        self._say(worker, JobFinished(job_id=job_id, attempt=attempt, images=(), gpu_seconds=2.0))

    def refuse(self, worker: str, reason: str) -> None:
        job_id = next(iter(self.held[worker]))
        attempt = self.held[worker].pop(job_id)
        event = JobFailed(job_id=job_id, attempt=attempt, reason=Notice(reason), error_kind="model")
        self._say(worker, event)

    def lose(self, worker: str) -> None:
        jobs = tuple(self.held[worker].items())
        self.held[worker] = {}
        self.statuses[worker] = replace(self.statuses[worker], ready=False)
        self._say(worker, WorkerLost(worker=worker, reason=Notice("gone"), jobs=jobs))

    def wake(self) -> None:
        """Say something that lets the dispatcher look again."""
        self._say("nobody", ResidentModels(names=()))

    def _say(self, worker: str, event: Event) -> None:
        self._events.put_nowait((worker, event))


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest_asyncio.fixture
async def busy_line(idle_line, fleet) -> AsyncIterator[Line]:
    line = Line(idle_line.database, idle_line.folder, idle_line.lease, idle_line.timing, fleet)
    line.dispatcher.start()
    yield line
    await line.dispatcher.stop(0)


async def ask(line: Line, model: str = "", owner: str = "ada"):
    return await line.submit(owner=owner, job=Img2ImgJob(model=model))


async def test_jobs_go_to_the_workers_that_have_their_checkpoint_loaded(busy_line, fleet):
    fleet.put("a", "sd", "xl", resident="sd")
    fleet.put("b", "sd", "xl", resident="xl")
    for owner, model in (("ada", "xl"), ("bob", "sd"), ("cy", "xl"), ("di", "sd")):
        await ask(busy_line, model, owner)
    await until(lambda: len(fleet.given) == 4)
    assert sorted(fleet.given) == [("a", "sd"), ("a", "sd"), ("b", "xl"), ("b", "xl")]


async def test_a_worker_without_the_checkpoint_is_not_given_the_job(busy_line, fleet):
    fleet.put("a", "sd", resident="sd")
    fleet.put("b", "sd", "xl", resident="sd")
    for number in range(12):
        await ask(busy_line, "sd" if number % 2 else "xl", f"member{number}")
    await until(lambda: len(fleet.given) >= 10)
    assert ("a", "xl") not in fleet.given
    assert ("b", "xl") in fleet.given


async def test_a_job_waits_in_words_for_the_worker_that_has_its_checkpoint(busy_line, fleet):
    fleet.put("a", "sd", resident="sd")
    fleet.put("b", "xl", ready=False)
    waiting = await ask(busy_line, "xl")
    assert waiting.missing == Notice("queue.waits_for_model", names="xl")
    # It holds nobody up, its own member least of all.
    for owner in ("ada", "bob"):
        assert (await ask(busy_line, "sd", owner)).missing is None
    await until(lambda: len(fleet.given) == 2)
    assert set(fleet.given) == {("a", "sd")}
    record = await busy_line.jobs.reader.get_job(waiting.record.id)
    assert record.state is JobState.QUEUED
    assert busy_line.dispatcher.missing_notice(record) == waiting.missing

    fleet.put("b", "xl")
    fleet.wake()
    await until(lambda: ("b", "xl") in fleet.given)
    record = await busy_line.jobs.reader.get_job(waiting.record.id)
    assert busy_line.dispatcher.missing_notice(record) is None


async def test_a_checkpoint_that_no_worker_has_fails_with_the_workers_words(busy_line, fleet):
    fleet.put("a", "sd")
    fleet.put("b", "sd")
    await ask(busy_line, "typo")
    await until(lambda: len(fleet.given) == 1)
    fleet.refuse(fleet.given[0][0], "There is no typo here.")
    record = await busy_line.settled()
    assert (record.state, record.strikes) == (JobState.FAILED, 0)
    assert "There is no typo here." in str(record.error)


async def test_of_several_workers_each_holds_a_batch_and_a_few(busy_line, fleet):
    fleet.put("a", "sd", resident="sd", batch=4)
    fleet.put("b", "sd", resident="sd", batch=4)
    for number in range(15):
        await ask(busy_line, "sd", f"member{number}")
    await until(lambda: len(fleet.given) == 12)
    assert {name: len(jobs) for name, jobs in fleet.held.items()} == {"a": 6, "b": 6}
    fleet.finish("a")
    await until(lambda: len(fleet.given) == 13)
    assert len(fleet.held["a"]) == 6


async def test_one_worker_left_holds_as_many_as_it_can(busy_line, fleet):
    fleet.put("a", "sd", resident="sd", batch=4)
    fleet.put("b", "sd", ready=False)
    for number in range(18):
        await ask(busy_line, "sd", f"member{number}")
    await until(lambda: len(fleet.held["a"]) == 16)


async def test_what_a_worker_loads_meanwhile_counts(busy_line, fleet):
    fleet.put("a", "sd", "xl", resident="sd")
    fleet.put("b", "sd", "xl", resident="sd")
    await ask(busy_line, "xl", "ada")
    await until(lambda: len(fleet.given) == 1)
    loading = fleet.given[0][0]
    # It is being loaded there, so the next of them waits there as well.
    fleet.finish(loading)
    await busy_line.settled()
    fleet.tell_resident(loading, "sd", "xl")
    await ask(busy_line, "xl", "bob")
    await until(lambda: len(fleet.given) == 2)
    assert fleet.given == [(loading, "xl")] * 2


async def test_jobs_of_a_lost_worker_go_to_another_that_can_do_them(busy_line, fleet):
    fleet.put("a", "sd", "xl", resident="xl")
    fleet.put("b", "sd", resident="sd")
    fleet.put("c", "sd", "xl", resident="sd")
    for number in range(3):
        await ask(busy_line, "xl", f"member{number}")
    await until(lambda: len(fleet.given) == 3)
    fleet.lose("a")
    await until(lambda: len(fleet.held["c"]) >= 1)
    while len(busy_line.witness.settlements) < 3:
        for name in ("a", "b", "c"):
            if fleet.held[name]:
                fleet.finish(name)
        await asyncio.sleep(0.005)
    assert ("b", "xl") not in fleet.given
    assert {record.state for record in busy_line.witness.settlements} == {JobState.DONE}
