from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob, LoopbackJob, UpscaleJob
from inference.diffusion.model import DiffusionModel
from inference.engine.engine import RunCompleted, RunFailed, RunPartCompleted
from inference.engine.partial_results import PartialResults, fingerprint_work
from inference.engine.work import ControlWork, DenoiseWork
from inference.operations.registry import OPERATIONS

SOURCE = Image.fromarray(
    np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8), "RGB"
)
COMMON = {"prompt": "a cat", "steps": 2, "seed": 10}
JOBS = {
    "loopback": LoopbackJob(**COMMON, loops=4),
    "loopback of two": LoopbackJob(**COMMON, loops=2, batch=2),
    "colours": LoopbackJob(**COMMON, loops=3, colour_correction=True),
    "redraw": UpscaleJob(**COMMON, mode="redraw", upscaler="lanczos", factor=2.0, overlap=16),
    "batch": Img2ImgJob(**COMMON, batch=3),
    "inpaint": InpaintJob(**COMMON, batch=3, mask_shape="left 40%"),
    "only masked": InpaintJob(**COMMON, batch=2, mask_shape="left 40%", area="only masked"),
    "imagine": ImagineJob(**COMMON, batch=2),
    "hires": ImagineJob(**COMMON, batch=2, hires_scale=1.5),
}


@pytest.fixture
def run(studio, make_engine):
    """Run a job to its end; give its outcome and the parts that were kept on the way."""

    def start(job, parts=()):
        images = {"image": SOURCE} if job.required_images else {}
        engine = make_engine()
        operation = OPERATIONS[job.kind](job, images, studio)
        reports = engine.add_job("a", 1, operation, PartialResults(parts))
        kept = []
        while True:
            for report in reports:
                match report:
                    case RunPartCompleted(_, part):
                        kept.append(part)
                    case RunCompleted(_, outcome):
                        return outcome, kept
                    case RunFailed(_, error):
                        raise error
            reports = engine.step()

    return start


@pytest.fixture
def calls(monkeypatch):
    """Count the rows that go through the denoising network."""
    rows = []
    plain = DiffusionModel.denoise

    def counted(self, *args, **more):
        rows.append(1)
        return plain(self, *args, **more)

    monkeypatch.setattr(DiffusionModel, "denoise", counted)
    return rows


def same(one, other):
    assert len(one.images) == len(other.images)
    for mine, theirs in zip(one.images, other.images, strict=True):
        assert np.array_equal(np.asarray(mine.image), np.asarray(theirs.image))
        assert (mine.role, mine.seed, mine.infotext) == (theirs.role, theirs.seed, theirs.infotext)
    assert one.notes == other.notes


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_goes_on_from_its_parts_comes_to_the_same(run, calls, name):
    whole, kept = run(JOBS[name])
    assert len(kept) > 1
    alone = len(calls)

    calls.clear()
    again, rest = run(JOBS[name], kept)

    same(whole, again)
    assert rest == []
    assert len(calls) < alone


def test_what_is_laid_back_by_its_latent_is_no_part(run):
    job = InpaintJob(**COMMON, batch=2, mask_shape="left 40%", soft=True)

    _, kept = run(job)

    assert kept == []


def test_what_is_not_finished_is_painted(run, calls):
    job = JOBS["loopback"]
    whole, kept = run(job)
    calls.clear()

    again, rest = run(job, kept[:2])

    same(whole, again)
    assert [part.number for part in rest] == [2, 3]


def test_a_part_of_another_work_is_not_believed(run):
    whole, _ = run(JOBS["loopback"])
    _, others = run(dataclasses.replace(JOBS["loopback"], prompt="a dog"))

    again, rest = run(JOBS["loopback"], others)

    same(whole, again)
    assert [part.number for part in rest] == [0, 1, 2, 3]


def test_a_mark_tells_every_difference():
    work = DenoiseWork(
        model="tiny",
        width=64,
        height=64,
        prompt="a cat",
        negative_prompt="",
        steps=2,
        guidance=7.0,
        sampler="Euler",
        schedule="Automatic",
        seed=1,
        image=SOURCE,
        part=0,
    )
    other = SOURCE.copy()
    other.putpixel((5, 5), (1, 2, 3))
    changes = [
        {},
        {"prompt": "a dog"},
        {"seed": 2},
        {"image": other},
        {"image": None, "latent": torch.zeros(4, 8, 8)},
        {"image": None, "latent": torch.ones(4, 8, 8)},
        {"mask": np.zeros((8, 8), np.float32)},
        {"mask": np.ones((8, 8), np.float32)},
    ]

    marks = [fingerprint_work(dataclasses.replace(work, **change)) for change in changes]

    assert len(changes) == len(set(marks))
    assert fingerprint_work(dataclasses.replace(work, image=SOURCE.copy())) == marks[0]


def test_what_holds_a_picture_counts_by_its_content():
    work = DenoiseWork(
        model="tiny",
        width=64,
        height=64,
        prompt="a cat",
        negative_prompt="",
        steps=2,
        guidance=7.0,
        sampler="Euler",
        schedule="Automatic",
        seed=1,
        part=0,
    )

    def held(**change):
        settings = {"network": "canny", "image": SOURCE.copy()}
        controls = (ControlWork(**settings | change),)
        return fingerprint_work(dataclasses.replace(work, controls=controls))

    others = [held(strength=0.5), held(network="depth"), held(image=SOURCE.rotate(90))]
    marks = [held(), fingerprint_work(work), *others]

    assert held() == marks[0]
    assert len(set(marks)) == len(marks)
