from __future__ import annotations

import pytest

from bot.dispatcher.estimate import PNG_HEADER_BYTES, CostEstimator, png_size
from inference.api.jobs import Img2ImgJob, OutpaintJob, estimate_cost
from inference.api.messages import ModelInfo
from inference.api.workers.protocol import WorkerStatus
from tests.doubles.pictures import png


def worker(*models):
    infos = tuple(ModelInfo(name=name, kind=kind, size=size) for name, kind, size in models)
    return WorkerStatus(name="w", ready=True, held=0, capacity=1, models=infos)


def test_a_size_is_read_from_the_first_bytes():
    assert png_size(png(size=(70, 40))[:PNG_HEADER_BYTES]) == (70, 40)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"GIF89a" * 9, b"\x89PNG\r\n\x1a\n" + bytes(16)])
def test_what_is_no_png_has_no_size(data):
    assert png_size(data) is None


class Workers:
    """A service that has workers, or none."""

    worker_statuses = ()


def test_the_models_own_size_is_what_its_worker_said():
    service = Workers()
    estimator = CostEstimator(None, service)
    assert estimator.native_size(Img2ImgJob()) == 512
    models = ("x4", "upscaler", 4), ("small", "diffusion", 128), ("xl", "diffusion", 1024)
    service.worker_statuses = (worker(*models),)
    assert estimator.native_size(Img2ImgJob(model="xl")) == 1024
    assert estimator.native_size(Img2ImgJob()) == 128
    service.worker_statuses = ()  # it is starting again
    assert estimator.native_size(Img2ImgJob(model="xl")) == 1024


async def test_a_job_is_charged_by_its_picture_and_its_model(line):
    job = OutpaintJob(left=64, seed=1)
    record = (await line.submit(job=job, images={"image": png(size=(100, 70))})).record
    assert record.cost == pytest.approx(estimate_cost(job, (100, 70), 128))
