"""Which worker can do which job."""

from __future__ import annotations

import pytest

from bot.dispatcher.worker_models import WorkerModels
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InterrogateJob,
    Job,
    LoopbackJob,
    UpscaleJob,
)
from inference.api.jobs.needs import ModelNeed, read_model_needs
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from inference.api.workers.protocol import WorkerStatus
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import ROOMY, make_job


@pytest.mark.parametrize(
    ("job", "needs"),
    [
        (Img2ImgJob(), ""),
        (Img2ImgJob(model="sd15", prompt="a <lora:Ink:0.5> fox"), "diffusion/sd15 lora/ink"),
        (Img2ImgJob(model="anime/SD15.safetensors"), "diffusion/sd15"),
        (ImagineJob(hires_scale=2, hires_upscaler="4x-sharp"), "upscaler/4x-sharp"),
        (ImagineJob(hires_upscaler="4x-sharp"), ""),
        (ImagineJob(hires_scale=2, hires_prompt="<lora:b:1>"), "lora/b"),
        (Img2ImgJob(model="xl", refiner="xl-refiner"), "diffusion/xl diffusion/xl-refiner"),
        (UpscaleJob(upscaler="lanczos"), ""),
        (UpscaleJob(upscaler="x", second="y", visibility=0.5), "upscaler/x upscaler/y"),
        (UpscaleJob(upscaler="x", model="sd15"), "upscaler/x"),
        (UpscaleJob(upscaler="x", mode="redraw", model="sd15"), "diffusion/sd15 upscaler/x"),
        (InterrogateJob(), "captioner/"),
        (InterrogateJob(method="tags", model="wd"), "tagger/wd"),
        (LoopbackJob(append="tags"), "tagger/"),
    ],
)
def test_a_jobs_needs_are_what_it_names(job, needs):
    read = read_model_needs(job.kind, job.to_params())
    assert " ".join(sorted(f"{need.kind}/{need.name}" for need in read)) == needs


def test_a_job_of_another_version_needs_nothing_that_is_known():
    assert read_model_needs("no such kind", {}) == frozenset()
    assert ModelNeed("tagger", "").is_met_by(frozenset({ModelNeed("tagger", "wd")}))


class Workers:
    """Stands where the pool does."""

    def __init__(self) -> None:
        self.worker_statuses: tuple[WorkerStatus, ...] = ()

    def put(self, name: str, *models: str, ready: bool = True, trouble: str = "") -> None:
        others = [status for status in self.worker_statuses if status.name != name]
        status = WorkerStatus(
            name=name,
            ready=ready,
            held=0,
            capacity=16,
            models=tuple(map(model, models)),
            trouble=Notice(trouble) if trouble else None,
        )
        self.worker_statuses = (*others, status)


def model(words: str) -> ModelInfo:
    """Read `kind/name@digest`."""
    path, _, digest = words.partition("@")
    kind, name = path.split("/")
    return ModelInfo(name=name, kind=kind, size=0, digest=digest)


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def alerts() -> list[str]:
    return []


@pytest.fixture
def known(workers, alerts) -> WorkerModels:
    return WorkerModels(workers, alerts.append)


@pytest.fixture
async def record(tmp_path):
    async with Database(tmp_path / "easel.sqlite3") as database:
        queue = JobStore(database).queue

        async def make(job: Job):
            new_job = make_job(kind=job.kind, params=job.to_params())
            return (await queue.enqueue(new_job, ROOMY))[0]

        yield make


async def test_a_worker_without_the_checkpoint_is_not_named(known, workers, record):
    workers.put("a", "diffusion/sd15")
    workers.put("b", "diffusion/sd15", "diffusion/xl")
    assert known.find_able(await record(Img2ImgJob(model="xl"))) == {"b"}
    assert known.find_able(await record(Img2ImgJob(model="sd15"))) == {"a", "b"}
    assert known.find_able(await record(Img2ImgJob())) == {"a", "b"}


async def test_a_job_waits_for_the_one_worker_that_has_its_model(known, workers, record):
    job = await record(Img2ImgJob(model="XL"))
    workers.put("a", "diffusion/sd15")
    workers.put("b", "diffusion/xl", ready=False)
    assert known.find_able(job) == frozenset()
    assert known.missing_notice(job) == Notice("queue.waits_for_model", names="xl")
    assert str(known.missing_notice(job)).startswith("No worker that is up has xl;")
    before = known.changes

    workers.put("b", "diffusion/xl")
    assert known.find_able(job) == {"b"}
    assert known.missing_notice(job) is None
    assert known.changes > before


async def test_a_job_waits_for_a_worker_that_never_said_what_it_has(known, workers, record):
    job = await record(Img2ImgJob(model="xl"))
    workers.put("a", "diffusion/sd15")
    workers.put("b", ready=False)
    assert known.find_able(job) == frozenset()
    workers.put("b", ready=False, trouble="It cannot start.")
    assert known.find_able(job) == {"a"}


async def test_what_no_worker_has_is_answered_by_any(known, workers, record):
    workers.put("a", "diffusion/sd15", "lora/ink")
    workers.put("b", "diffusion/xl")
    assert known.find_able(await record(Img2ImgJob(model="typo"))) == {"a", "b"}
    assert known.find_able(await record(Img2ImgJob(model="xl", prompt="<lora:typo:1>"))) == {"b"}
    # Each has one of the two, none both.
    job = await record(Img2ImgJob(model="xl", prompt="<lora:ink:1>"))
    assert known.find_able(job) == {"a", "b"}


async def test_without_a_worker_nothing_more_is_said(known, workers, record):
    job = await record(Img2ImgJob(model="xl"))
    workers.put("a", "diffusion/xl", ready=False)
    assert known.missing_notice(job) is None


async def test_another_file_of_the_same_name_is_told_and_not_used(known, workers, record, alerts):
    job, other = await record(Img2ImgJob(model="xl")), await record(Img2ImgJob(model="sd15"))
    workers.put("a", "diffusion/xl@1111", "diffusion/sd15")
    assert known.find_able(job) == {"a"}
    workers.put("b", "diffusion/xl@2222", "diffusion/sd15")
    assert known.find_able(job) == {"a"}
    assert known.find_able(other) == {"a", "b"}
    (alert,) = alerts
    assert "b has another file by the name of xl than a: 2222 instead of 1111" in alert

    workers.put("c", "diffusion/xl@1111")
    assert known.find_able(job) == {"a", "c"}
    workers.put("a", ready=False)
    assert known.find_able(job) <= {"b", "c"}
    assert len([alert for alert in alerts if alert.startswith("b ")]) == 1
