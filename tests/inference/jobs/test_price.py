from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.jobs import Explain, Img2Img, Inpaint, Loopback, Outpaint, Upscale, price
from tests.inference.jobs.strategies import jobs


@given(jobs())
def test_every_job_costs_something(job):
    assert 0 < price(job) < math.inf


STEPPED = [
    Img2Img(),
    Inpaint(),
    Loopback(),
    Outpaint(left=64),
    Upscale(mode="redraw"),
]


@pytest.mark.parametrize("job", STEPPED, ids=lambda job: job.kind)
@given(fewer=st.integers(1, 149), more=st.integers(1, 149))
def test_more_steps_cost_more(job, fewer, more):
    few = dataclasses.replace(job, steps=fewer)
    many = dataclasses.replace(job, steps=min(150, fewer + more))

    assert price(few) < price(many)


@given(st.integers(64, 1024), st.integers(64, 1024))
def test_a_picture_costs_as_many_pixels_as_it_has(width, height):
    small = Img2Img(width=width, height=height)
    large = Img2Img(width=2 * width, height=height)

    assert price(large) == pytest.approx(2 * price(small))


def test_a_batch_costs_its_pictures():
    assert price(Img2Img(batch=4)) == pytest.approx(4 * price(Img2Img()))


def test_a_loop_costs_its_turns():
    assert price(Loopback(loops=6)) == pytest.approx(6 * price(Img2Img()))


def test_guidance_of_one_asks_the_network_once_a_step():
    saved = price(Img2Img(steps=20)) - price(Img2Img(steps=20, guidance=1.0))

    assert saved == pytest.approx(20 * 512 * 512 / 1e6)


def test_words_alone_cost_next_to_nothing():
    assert price(Explain()) < price(Img2Img(steps=1)) / 100
