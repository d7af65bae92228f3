from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings

from inference.api.errors import ImageMissing, JobError, UnknownChoice
from inference.api.jobs import (
    JOB_TYPES,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    UpscaleJob,
    decode_job,
)
from tests.inference.api.jobs.strategies import jobs


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(jobs())
def test_a_job_survives_json(job):
    text = json.dumps(job.to_params(), allow_nan=False)

    assert decode_job(job.kind, json.loads(text)) == job


@pytest.mark.parametrize("kind", JOB_TYPES)
def test_a_kind_is_its_own_name(kind):
    assert kind == JOB_TYPES[kind].kind
    assert not set(JOB_TYPES[kind].required_images) & set(JOB_TYPES[kind].optional_images)


@pytest.mark.parametrize("kind", JOB_TYPES)
def test_a_job_never_changes(kind):
    job = JOB_TYPES[kind](**({"left": 8} if kind == "outpaint" else {}))

    with pytest.raises(dataclasses.FrozenInstanceError):
        job.model = "other"


def test_an_unknown_kind_is_refused_with_a_suggestion():
    with pytest.raises(UnknownChoice, match="img2img"):
        decode_job("img2imgs", {})


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(JobError, match="img2img has no option “denoise”") as caught:
        decode_job("img2img", {"denoise": 0.4})
    assert caught.value.field == "denoise"


def test_an_impossible_option_is_refused_when_it_is_read_back():
    with pytest.raises(JobError, match="steps"):
        decode_job("img2img", {"steps": 10_000})


def test_missing_and_useless_pictures_are_refused():
    with pytest.raises(ImageMissing, match="image"):
        Img2ImgJob().check_images({})
    with pytest.raises(JobError, match="no use for a picture “mask”"):
        Img2ImgJob().check_images({"image": b"", "mask": b""})
    InpaintJob().check_images({"image": b"", "mask": b""})
    InpaintJob().check_images({"image": b""})
    ImagineJob().check_images({})


def test_chance_is_fixed_once():
    drawn = Img2ImgJob(prompt="a fox").with_seed(5)

    assert drawn == Img2ImgJob(prompt="a fox", seed=5)
    assert drawn.with_seed(6) == drawn
    assert UpscaleJob() != UpscaleJob().with_seed(7)


def test_a_job_without_chance_stays_as_it_is():
    job = InterrogateJob()

    assert job is job.with_seed(3)


def test_a_caption_is_no_longer_than_its_longest():
    with pytest.raises(JobError, match="above max length"):
        InterrogateJob(min_length=50, max_length=40)
