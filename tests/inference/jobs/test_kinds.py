from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings

from inference.errors import JobError, PictureMissing, UnknownChoice
from inference.jobs import KINDS, Imagine, Img2Img, Inpaint, Interrogate, Upscale, decode
from tests.inference.jobs.strategies import jobs


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(jobs())
def test_a_job_survives_json(job):
    text = json.dumps(job.encode(), allow_nan=False)

    assert job == decode(job.kind, json.loads(text))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_its_own_name(kind):
    assert kind == KINDS[kind].kind
    assert not set(KINDS[kind].needs) & set(KINDS[kind].takes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_never_changes(kind):
    job = KINDS[kind](**({"left": 8} if kind == "outpaint" else {}))

    with pytest.raises(dataclasses.FrozenInstanceError):
        job.model = "other"


def test_an_unknown_kind_is_refused_with_a_suggestion():
    with pytest.raises(UnknownChoice, match="img2img"):
        decode("img2imgs", {})


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(JobError, match="img2img has no option “denoise”") as caught:
        decode("img2img", {"denoise": 0.4})
    assert caught.value.field == "denoise"


def test_an_impossible_option_is_refused_when_it_is_read_back():
    with pytest.raises(JobError, match="steps"):
        decode("img2img", {"steps": 10_000})


def test_missing_and_useless_pictures_are_refused():
    with pytest.raises(PictureMissing, match="image"):
        Img2Img().check_pictures({})
    with pytest.raises(JobError, match="no use for a picture “mask”"):
        Img2Img().check_pictures({"image": b"", "mask": b""})
    Inpaint().check_pictures({"image": b"", "mask": b""})
    Inpaint().check_pictures({"image": b""})
    Imagine().check_pictures({})


def test_chance_is_fixed_once():
    drawn = Img2Img(prompt="a fox").resolved(5)

    assert Img2Img(prompt="a fox", seed=5) == drawn
    assert drawn == drawn.resolved(6)
    assert Upscale() != Upscale().resolved(7)


def test_a_job_without_chance_stays_as_it_is():
    job = Interrogate()

    assert job is job.resolved(3)


def test_a_caption_is_no_longer_than_its_longest():
    with pytest.raises(JobError, match="above max length"):
        Interrogate(min_length=50, max_length=40)
