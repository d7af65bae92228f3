from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from inference.engine.engine import Broken, Done, Kept
from inference.engine.parts import Parts, mark_of
from inference.engine.work import Paint
from inference.jobs import Imagine, Img2Img, Inpaint, Loopback, Upscale
from inference.models.diffusion import DiffusionModel
from inference.operations.registry import OPERATIONS

SOURCE = Image.fromarray(
    np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8), "RGB"
)
COMMON = {"prompt": "a cat", "steps": 2, "seed": 10}
JOBS = {
    "loopback": Loopback(**COMMON, loops=4),
    "loopback of two": Loopback(**COMMON, loops=2, batch=2),
    "colours": Loopback(**COMMON, loops=3, colour_correction=True),
    "redraw": Upscale(**COMMON, mode="redraw", upscaler="lanczos", factor=2.0, overlap=16),
    "batch": Img2Img(**COMMON, batch=3),
    "inpaint": Inpaint(**COMMON, batch=3, mask_shape="left 40%"),
    "only masked": Inpaint(**COMMON, batch=2, mask_shape="left 40%", area="only masked"),
    "imagine": Imagine(**COMMON, batch=2),
    "hires": Imagine(**COMMON, batch=2, hires_scale=1.5),
}


@pytest.fixture
def run(studio, make_engine):
    """Run a job to its end; give its outcome and the parts that were kept on the way."""

    def start(job, parts=()):
        pictures = {"image": SOURCE} if job.needs else {}
        engine = make_engine()
        operation = OPERATIONS[job.kind](job, pictures, studio)
        reports = engine.add("a", 1, operation, Parts(parts))
        kept = []
        while True:
            for report in reports:
                match report:
                    case Kept(_, part):
                        kept.append(part)
                    case Done(_, outcome):
                        return outcome, kept
                    case Broken(_, error):
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
    assert len(one.pictures) == len(other.pictures)
    for mine, theirs in zip(one.pictures, other.pictures, strict=True):
        assert np.array_equal(np.asarray(mine.picture), np.asarray(theirs.picture))
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
    assert [] == rest
    assert len(calls) < alone


def test_what_is_laid_back_by_its_latent_is_no_part(run):
    job = Inpaint(**COMMON, batch=2, mask_shape="left 40%", soft=True)

    _, kept = run(job)

    assert [] == kept


def test_what_is_not_finished_is_painted(run, calls):
    job = JOBS["loopback"]
    whole, kept = run(job)
    calls.clear()

    again, rest = run(job, kept[:2])

    same(whole, again)
    assert [2, 3] == [part.number for part in rest]


def test_a_part_of_another_work_is_not_believed(run):
    whole, _ = run(JOBS["loopback"])
    _, others = run(dataclasses.replace(JOBS["loopback"], prompt="a dog"))

    again, rest = run(JOBS["loopback"], others)

    same(whole, again)
    assert [0, 1, 2, 3] == [part.number for part in rest]


def test_a_mark_tells_every_difference():
    work = Paint(
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
        picture=SOURCE,
        part=0,
    )
    other = SOURCE.copy()
    other.putpixel((5, 5), (1, 2, 3))
    changes = [
        {},
        {"prompt": "a dog"},
        {"seed": 2},
        {"picture": other},
        {"picture": None, "latent": torch.zeros(4, 8, 8)},
        {"picture": None, "latent": torch.ones(4, 8, 8)},
        {"mask": np.zeros((8, 8), np.float32)},
        {"mask": np.ones((8, 8), np.float32)},
    ]

    marks = [mark_of(dataclasses.replace(work, **change)) for change in changes]

    assert len(changes) == len(set(marks))
    assert marks[0] == mark_of(dataclasses.replace(work, picture=SOURCE.copy()))
