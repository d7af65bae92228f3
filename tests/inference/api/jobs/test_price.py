from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.api.jobs import (
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
    estimate_cost,
)
from inference.api.jobs.names import OUTPAINT_PRESETS, SAMPLER_NAMES
from inference.api.jobs.price import TFLOP_PER_PASS, list_denoise_passes
from inference.diffusion.model import DiffusionModel
from inference.engine.work import DenoiseResult
from inference.images.errors import ImageError
from inference.operations.outpaint.operation import run_outpaint
from tests.inference.api.jobs.strategies import jobs


@given(jobs())
def test_every_job_costs_something(job):
    assert 0 < estimate_cost(job) < math.inf


STEPPED = [
    Img2ImgJob(),
    InpaintJob(),
    LoopbackJob(),
    OutpaintJob(left=64),
    UpscaleJob(mode="redraw"),
]


@pytest.mark.parametrize("job", STEPPED, ids=lambda job: job.kind)
@given(fewer=st.integers(1, 149), more=st.integers(1, 149))
def test_more_steps_cost_more(job, fewer, more):
    few = dataclasses.replace(job, steps=fewer)
    many = dataclasses.replace(job, steps=min(150, fewer + more))

    assert estimate_cost(few) < estimate_cost(many)


@given(*[st.integers(8, 128).map(lambda cells: 8 * cells)] * 2)
def test_a_picture_costs_as_many_pixels_as_it_has(width, height):
    small = Img2ImgJob(width=width, height=height)
    large = Img2ImgJob(width=2 * width, height=height)

    assert estimate_cost(large) == pytest.approx(2 * estimate_cost(small))


def test_a_batch_costs_its_pictures():
    assert estimate_cost(Img2ImgJob(batch=4)) == pytest.approx(4 * estimate_cost(Img2ImgJob()))


def test_a_loop_costs_its_turns():
    steady = LoopbackJob(loops=6, final_strength=0.75)
    assert estimate_cost(steady) == pytest.approx(6 * estimate_cost(Img2ImgJob()))


def test_guidance_of_one_asks_the_network_once_a_step():
    saved = estimate_cost(Img2ImgJob(steps=20)) - estimate_cost(Img2ImgJob(steps=20, guidance=1.0))

    assert saved == pytest.approx(20 * TFLOP_PER_PASS * 512 * 512 / 1e6)


def test_words_alone_cost_next_to_nothing():
    assert estimate_cost(ExplainJob()) < estimate_cost(Img2ImgJob(steps=1)) / 100


NATURAL = 64  # pixels a side of the tiny checkpoint's own pictures
SOURCE = (100, 70)

COUNTED = [
    ImagineJob(),
    ImagineJob(batch=2, hires_scale=2.0, hires_steps=3, sampler="Heun"),
    ImagineJob(hires_scale=1.5, hires_upscaler="lanczos", hires_strength=0.3),
    Img2ImgJob(),
    Img2ImgJob(width=128, height=64, batch=3, guidance=1.0),
    Img2ImgJob(prompt="a cat AND a red apple:0.5"),
    Img2ImgJob(strength=0.0),
    *(Img2ImgJob(sampler=sampler) for sampler in SAMPLER_NAMES),
    *(Img2ImgJob(sampler=sampler, strength=0.5, exact_steps=False) for sampler in SAMPLER_NAMES),
    InpaintJob(mask_shape="left 30%"),
    InpaintJob(mask_shape="left 30%", area="only masked", soft=True, batch=2),
    OutpaintJob(left=64, strength=0.5),
    OutpaintJob(left=30, up=100, down=200, batch=2),
    OutpaintJob(method="poor man's", left=64, right=20),
    OutpaintJob(method="poor man's", preset="zoom out 2x", mask_blur=0),
    OutpaintJob(preset="to 16:9", width=128, height=64),
    LoopbackJob(loops=3, final_strength=0.2, batch=2),
    LoopbackJob(loops=3, strength=0.4, final_strength=0.8, exact_steps=False),
    LoopbackJob(loops=2, final_strength=0.0),
    UpscaleJob(upscaler="lanczos"),
    UpscaleJob(mode="redraw", upscaler="lanczos", factor=2.5, overlap=16),
    UpscaleJob(
        mode="redraw", upscaler="lanczos", width=150, height=90, crop=True, sampler="DPM++ SDE"
    ),
]


@pytest.mark.parametrize("job", COUNTED, ids=lambda job: f"{job.kind} {job.sampler}")
def test_it_counts_the_rows_that_the_network_is_asked_for(run_job, monkeypatch, job):
    """Every call of the network is counted: rows times pixels."""
    counted = []
    real = DiffusionModel.denoise

    def count(self, x, *rest):
        counted.append(len(x) * x.shape[-1] * x.shape[-2] * 64 / 1e6)
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    job = dataclasses.replace(job, steps=4, seed=1)
    image = Image.linear_gradient("L").convert("RGB").resize(SOURCE)
    run_job(job, {"image": image} if job.required_images else {})

    said = sum(run.megapixels * run.rows for run in list_denoise_passes(job, SOURCE, NATURAL))
    assert sum(counted) == pytest.approx(said)


AMOUNTS = st.integers(0, 300)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_it_counts_the_runs_of_any_outpainting(studio, data):
    size = data.draw(st.tuples(st.integers(64, 300), st.integers(64, 300)))
    job = OutpaintJob(
        left=data.draw(AMOUNTS),
        right=data.draw(AMOUNTS),
        up=data.draw(AMOUNTS),
        down=data.draw(st.integers(1, 300)),
        width=data.draw(st.sampled_from([None, 128, 200])),
        preset=data.draw(st.sampled_from(OUTPAINT_PRESETS)),
        method=data.draw(st.sampled_from(["mk2", "poor man's"])),
        mask_blur=0,
        steps=1,
        seed=1,
    )
    try:
        painted = painted_sizes(job, Image.new("RGB", size, "red"), studio)
    except ImageError:  # too large for the host, or of that shape already
        return
    assert sorted(painted) == sorted(run.size for run in list_denoise_passes(job, size, NATURAL))


def painted_sizes(job, image, studio):
    """Answer each work with a black picture and note its size."""
    operation, sizes, results = run_outpaint(job, {"image": image}, studio), [], None
    while True:
        try:
            works = operation.send(results).works
        except StopIteration:
            return sizes
        sizes += [(work.width, work.height) for work in works]
        results = [
            DenoiseResult(image=Image.new("RGB", (work.width, work.height)), latent=None)
            for work in works
        ]
