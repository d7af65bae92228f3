from __future__ import annotations

import dataclasses
import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from bot.dispatcher import Dispatcher
from bot.dispatcher.estimation import (
    INITIAL_ERROR_RATIOS,
    MAX_LEARNED_JOBS,
    MAX_PENDING_FORECASTS,
    OTHER_SECONDS,
    CostEstimator,
    EtaEstimator,
    TimeRange,
    format_range,
)
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    OutpaintJob,
    UpscaleJob,
    estimate_cost,
)
from inference.api.messages import ModelInfo
from inference.api.workers.protocol import WorkerStatus
from storage.errors import QueueFull
from storage.records import JobState, QueuePlace
from tests.bot.dispatcher.conftest import CAPACITY, LIMITS, until
from tests.doubles.images import png
from tests.storage.factories import make_record

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUEUED = make_record(owner="ada", cost=10.0, id="0" * 20, created_at=NOW)
FIRST = QueuePlace(position=1, ahead_cost=0.0, running_cost=0.0, queued=1, running=0)


def done(record, *, charged, seconds):
    """A job that came to its end after so many TFLOP, in so many seconds of the GPU."""
    return dataclasses.replace(
        record, state=JobState.DONE, charged=charged, result={"charged": seconds}
    )


class Workers:
    def __init__(self, ready=1):
        self.worker_statuses = tuple(
            WorkerStatus(name=str(n), ready=n < ready, held=0, capacity=1) for n in range(3)
        )


class Time:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def forecast(clock):
    return EtaEstimator(Workers(), clock)


def test_before_anything_was_measured_nothing_is_foretold(forecast):
    assert forecast.forecast_new_job(QUEUED, FIRST) is None
    assert forecast.expected_ready(QUEUED, FIRST) is None
    assert forecast.gpu_seconds(10.0) is None


def test_what_a_processor_draws_says_nothing_of_networks(forecast):
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=2.0))
    drawn = dataclasses.replace(QUEUED, kind="preview")
    forecast.learn_from(done(drawn, charged=10.0, seconds=50.0))

    assert forecast.gpu_seconds(10.0) == 2.0
    assert forecast.job_gpu_seconds(dataclasses.replace(drawn, cost=10.0)) == 50.0


def test_without_a_worker_nothing_is_foretold(clock):
    forecast = EtaEstimator(Workers(ready=0), clock)
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=2.0))

    assert forecast.expected_ready(QUEUED, FIRST) is None
    assert forecast.gpu_seconds(10.0) == 2.0


def first_range(seconds):
    """The range that is said of so many seconds while nothing has come as foretold or not."""
    return TimeRange(*(pytest.approx(seconds * ratio) for ratio in INITIAL_ERROR_RATIOS))


def test_what_lies_ahead_takes_what_was_foretold_of_it(forecast):
    forecast.learn_from(done(QUEUED, charged=30.0, seconds=10.0))
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=10.0))
    own = 10.0 * (1 / 3 + 1) / 2
    assert forecast.job_gpu_seconds(QUEUED) == pytest.approx(own)
    place = dataclasses.replace(FIRST, ahead_seconds=30.0, ahead_cost=20.0)

    # Those without a forecast take 20 TFLOP at the rate of the last jobs, 20 seconds by 40 TFLOP.
    assert forecast.expected_ready(QUEUED, place) == first_range(OTHER_SECONDS + own + 30.0 + 10.0)
    assert forecast.expected_free(place) == first_range(40.0)


def test_nothing_is_said_where_most_of_what_is_ahead_was_never_foretold(forecast):
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=10.0))
    said = [
        forecast.expected_ready(QUEUED, dataclasses.replace(FIRST, ahead_cost=cost)) is not None
        for cost in (9.0, 11.0)
    ]
    assert said == [True, False]


def test_what_runs_beside_a_job_takes_turns_with_it(forecast):
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=8.0))
    place = dataclasses.replace(FIRST, running_seconds=27.0)

    # Between 9 seconds alone and 36 if all of it came first.
    assert forecast.expected_ready(QUEUED, place) == first_range(math.sqrt(9.0 * 36.0))


def test_a_kind_that_takes_longer_than_its_networks_is_foretold_by_its_like(forecast, clock):
    other = dataclasses.replace(QUEUED, kind="upscale", id="1" * 20)
    for record, taken in ((QUEUED, 14.0), (other, 7.0)):
        forecast.learn_from(done(record, charged=10.0, seconds=9.0))
        forecast.forecast_new_job(record, FIRST)
        clock.seconds += taken
        forecast.learn_from(done(record, charged=10.0, seconds=9.0))

    ranges = [forecast.expected_ready(record, FIRST) for record in (QUEUED, other)]

    assert ranges[0].low == pytest.approx(2 * ranges[1].low)


def test_jobs_of_any_rate_have_a_forecast_of_their_own(forecast):
    for seconds in (1.0, 4.0, 16.0):
        forecast.learn_from(done(QUEUED, charged=10.0, seconds=seconds))
    other = dataclasses.replace(QUEUED, kind="upscale")
    forecast.learn_from(done(other, charged=1000.0, seconds=1.0))

    assert forecast.job_gpu_seconds(QUEUED) is None
    assert forecast.job_forecast(QUEUED) == 4.0


def test_workers_share_the_queue_but_not_a_job(clock):
    forecast = EtaEstimator(Workers(ready=2), clock)
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=10.0))
    busy = dataclasses.replace(FIRST, ahead_seconds=50.0)

    assert forecast.expected_ready(QUEUED, FIRST) == first_range(OTHER_SECONDS + 10.0)
    assert forecast.expected_ready(QUEUED, busy) == first_range(OTHER_SECONDS + 35.0)


def test_a_running_job_has_left_what_it_has_not_done(forecast):
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=10.0))
    running = dataclasses.replace(QUEUED, state=JobState.RUNNING, step=5, steps=10)
    place = dataclasses.replace(FIRST, position=0, running_seconds=5.0)

    assert forecast.expected_ready(running, place) == first_range(OTHER_SECONDS + 5.0)


@pytest.mark.parametrize("spread", [0.02, 0.2, 0.35])
def test_of_ten_jobs_about_eight_are_ready_within_what_was_foretold(forecast, clock, spread):
    """Whether jobs come as foretold or not, the range says how much so."""
    chance = random.Random(7)
    within, widths = [], []
    for number in range(400):
        job = dataclasses.replace(QUEUED, id=f"{number:020d}")
        begun = clock.seconds
        foretold = forecast.forecast_new_job(job, FIRST)
        clock.seconds += 13.0 * chance.lognormvariate(0.0, spread)
        if foretold is not None and number > MAX_LEARNED_JOBS:
            within.append(foretold.low <= clock.seconds - begun <= foretold.high)
            widths.append(foretold.high / foretold.low)
        forecast.learn_from(done(job, charged=10.0, seconds=5.0))

    assert 0.7 <= sum(within) / len(within) <= 0.95
    assert min(widths) < 1.0 + 8 * spread


def test_what_comes_anyhow_is_not_foretold(forecast, clock):
    chance, said = random.Random(7), 0
    for number in range(400):
        job = dataclasses.replace(QUEUED, id=f"{number:020d}")
        said += forecast.forecast_new_job(job, FIRST) is not None
        clock.seconds += 13.0 * chance.lognormvariate(0.0, 1.5)
        forecast.learn_from(done(job, charged=10.0, seconds=5.0))
    assert said < 40


@pytest.mark.parametrize(("fastest", "price"), [(1.0, None), (3.0, 4.5)])
def test_nothing_is_said_of_jobs_whose_like_took_anything(forecast, fastest, price):
    for seconds in (fastest, 6.0):
        forecast.learn_from(done(QUEUED, charged=10.0, seconds=seconds))
    assert forecast.job_gpu_seconds(QUEUED) == price
    assert (forecast.forecast_new_job(QUEUED, FIRST) is None) is (price is None)


@pytest.mark.parametrize("field", ["method", "upscaler", "second", "mode", "area"])
def test_other_methods_and_upscalers_say_nothing_of_a_job(forecast, field):
    own, other = (
        dataclasses.replace(QUEUED, kind="upscale", affinity=None, params={field: name})
        for name in ("own", "other")
    )
    forecast.learn_from(done(own, charged=10.0, seconds=20.0))
    assert forecast.job_gpu_seconds(own) == 20.0
    assert forecast.job_gpu_seconds(other) is None


def test_an_upscaler_costs_what_its_worker_said():
    service = Workers(ready=0)
    upscaler = ModelInfo(name="light", kind="upscaler", size=4, tflop=1.0)
    status = dataclasses.replace(worker(), models=(upscaler,))
    service.worker_statuses = (status,)
    estimator = CostEstimator(None, service)
    image = png(size=(1000, 1000))
    twice, eight = (
        estimator.job_cost(UpscaleJob(upscaler="light", factor=factor), image)
        for factor in (2.0, 8.0)
    )
    assert (twice, eight) == (pytest.approx(1.0), pytest.approx(17.0))
    service.worker_statuses = ()  # it is starting again
    assert estimator.job_cost(UpscaleJob(upscaler="light", factor=2.0), image) == twice


def test_other_kinds_and_models_say_nothing_of_a_job(forecast):
    other = dataclasses.replace(QUEUED, kind="upscale")
    forecast.learn_from(done(QUEUED, charged=0.01, seconds=6.0))
    for unlike in (other, dataclasses.replace(QUEUED, affinity="sdxl")):
        assert forecast.job_gpu_seconds(unlike) is None
        assert forecast.forecast_new_job(unlike, FIRST) is None
    forecast.learn_from(done(other, charged=10.0, seconds=20.0))
    assert forecast.job_gpu_seconds(other) == 20.0
    assert forecast.expected_ready(other, FIRST) == first_range(OTHER_SECONDS + 20.0)


def test_what_was_cut_short_teaches_nothing(forecast):
    forecast.learn_from(dataclasses.replace(QUEUED, state=JobState.FAILED))
    forecast.learn_from(dataclasses.replace(done(QUEUED, charged=1.0, seconds=9.0), stopping=True))
    forecast.learn_from(done(QUEUED, charged=1.0, seconds=0.0))

    assert forecast.gpu_seconds(1.0) is None


def test_foretellings_are_bounded(forecast):
    forecast.learn_from(done(QUEUED, charged=10.0, seconds=1.0))
    for number in range(MAX_PENDING_FORECASTS + 5):
        forecast.forecast_new_job(dataclasses.replace(QUEUED, id=f"{number:020d}"), FIRST)

    assert len(forecast._forecasts) == MAX_PENDING_FORECASTS


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.4, "a moment"),
        (0.2, 3.0, "up to 3 s"),
        (20.0, 80.0, "20 to 80 s"),
        (50.0, 130.0, "1 to 2 min"),
        (119.0, 121.0, "about 2 min"),
        (3600.0, 9000.0, "1 to 2 h"),
    ],
)
def test_a_range_is_said_no_more_exactly_than_it_is(low, high, words):
    assert str(format_range(TimeRange(low, high))) == words


async def test_jobs_like_one_that_ran_are_priced_by_what_it_came_to(line):
    id = await line.run()
    cost = (await line.jobs.reader.get_job(id)).cost
    line.service.finish(job_id=id, flops=3 * cost * 1e12)
    await until(lambda: line.witness.settlements)
    await until(lambda: line.dispatcher._costs._cost_ratios)

    like = (await line.submit()).record.cost
    other = (await line.submit(job=Img2ImgJob(prompt="a fox", model="sdxl"))).record.cost

    assert like == pytest.approx(3 * cost)
    assert other == pytest.approx(cost)


async def test_a_new_job_is_told_what_it_takes_and_when_it_is_ready(line):
    first = await line.submit()
    assert (first.ready, first.price) == (None, None)
    await until(lambda: line.service.held)
    line.service.finish(job_id=first.record.id, flops=5e12)  # in a second of the GPU
    await until(lambda: line.witness.settlements)
    await until(lambda: line.dispatcher.eta.gpu_seconds(1.0))

    second = await line.submit()

    assert second.price == pytest.approx(second.record.cost / 5.0)
    assert second.ready.low < OTHER_SECONDS + second.price < second.ready.high


async def test_jobs_that_wait_are_put_right_by_the_first_of_their_model(line):
    id = await line.run()
    await line.run()
    waiting = (await line.submit()).record
    other = (await line.submit(job=Img2ImgJob(prompt="a fox", model="sdxl"))).record
    line.service.finish(job_id=id, flops=waiting.cost * 0.01e12)
    await until(lambda: line.dispatcher._costs._cost_ratios)
    new = (await line.submit(job=InpaintJob(mask_shape="left 30%"))).record

    assert (await line.jobs.reader.get_job(waiting.id)).cost == pytest.approx(0.01 * waiting.cost)
    assert (await line.jobs.reader.get_job(other.id)).cost == other.cost
    assert new.cost < 0.05 * waiting.cost


async def test_a_later_life_of_the_bot_remembers_the_last_jobs(line):
    job = ImagineJob(prompt="a fox")  # as large as the model's own pictures
    id = await line.run(job=job, images={})
    cost = (await line.jobs.reader.get_job(id)).cost
    line.service.finish(job_id=id, flops=3 * cost * 1e12)
    await until(lambda: line.witness.settlements)
    line.service.ready = False
    later = Dispatcher(line.jobs, line.blobs, line.service, limits=LIMITS, lease=timedelta(hours=1))
    asked = {"images": {}, "owner": "bob", "guild": None, "reply_to": ""}

    early = await later.submit_job(job=job, **asked, idempotency_key="early")
    line.service.ready = True
    then = await later.submit_job(job=job, **asked, idempotency_key="then")

    assert early.price is None
    assert then.record.cost == pytest.approx(3 * cost)
    assert then.price == pytest.approx(1.0)


async def test_a_full_queue_is_refused_with_the_wait(line):
    id = await line.run()
    line.service.finish(job_id=id, flops=5e12)
    await until(lambda: line.dispatcher.eta.gpu_seconds(1.0))

    with pytest.raises(QueueFull, match=r"Wait until one has started, in .* (s|min|moment)"):
        for _ in range(LIMITS.per_owner + CAPACITY + 1):
            await line.submit(job=Img2ImgJob(steps=150))


def worker(*models):
    infos = tuple(ModelInfo(name=name, kind=kind, size=size) for name, kind, size in models)
    return WorkerStatus(name="w", ready=True, held=0, capacity=1, models=infos)


def test_the_models_own_size_is_what_its_worker_said():
    service = Workers(ready=0)
    service.worker_statuses = ()
    estimator = CostEstimator(None, service)
    assert estimator.native_size(Img2ImgJob()) == 512
    models = ("x4", "upscaler", 4), ("small", "diffusion", 128), ("xl", "diffusion", 1024)
    service.worker_statuses = (worker(*models),)
    assert estimator.native_size(Img2ImgJob(model="xl")) == 1024
    assert estimator.native_size(Img2ImgJob()) == 128
    service.worker_statuses = ()  # it is starting again
    assert estimator.native_size(Img2ImgJob(model="xl")) == 1024


def test_a_checkpoint_that_edits_by_instructions_costs_three_entries():
    service = Workers(ready=0)
    edit = ModelInfo(name="edit", kind="diffusion", size=512, role="instruct")
    plain = ModelInfo(name="plain", kind="diffusion", size=512)
    job = Img2ImgJob(guidance=1.0)
    costs = []
    for models in ((plain, edit), (edit, plain)):
        status = WorkerStatus(name="w", ready=True, held=0, capacity=1, models=models)
        service.worker_statuses = (status,)
        estimator = CostEstimator(None, service)
        costs += [
            estimator.job_cost(dataclasses.replace(job, model=name), None)
            for name in ("plain", "edit", "")
        ]
    one, three = costs[:2]
    assert three > 2.5 * one
    assert costs == [one, three, one, one, three, three]


async def test_a_job_is_charged_by_its_picture_and_its_model(line):
    job = OutpaintJob(left=64, seed=1)
    record = (await line.submit(job=job, images={"image": png(size=(100, 70))})).record
    assert pytest.approx(estimate_cost(job, (100, 70), 128)) == record.cost


def test_what_loads_its_network_says_nothing_before_it_ran_without_that():
    estimator = EtaEstimator(Workers())
    asked = dataclasses.replace(QUEUED, kind="interrogate", params={"method": "caption"})
    estimator.learn_from(done(asked, charged=10.0, seconds=20.0))
    assert estimator.job_gpu_seconds(asked) is None
    estimator.learn_from(done(asked, charged=10.0, seconds=2.0))
    assert estimator.job_gpu_seconds(asked) is None
    for _ in range(20):
        estimator.learn_from(done(asked, charged=10.0, seconds=2.0))
    assert estimator.job_gpu_seconds(asked) == pytest.approx(2.0)
