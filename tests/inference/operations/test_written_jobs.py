"""What a job writes into its pictures is read back as an equal job, whatever its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.job_values import OPTION_KEYS, SIZE_KEYS
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import NUMBER_OPTIONS, job_from_info
from inference.api.jobs import (
    REDRAW_OPTIONS,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    Job,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
    list_job_options,
)
from inference.api.messages import ModelInfo
from inference.api.prompts.pulls import check_weights
from inference.engine.work import DenoiseResult, DenoiseWork, JobResult
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.operations.shared.sizes import target_size
from tests.inference.api.jobs.strategies import values as option_values
from tests.inference.operations.conftest import gradient
from tests.proofs import proof_size

KINDS = (ImagineJob, Img2ImgJob, InpaintJob, OutpaintJob, LoopbackJob, UpscaleJob)
MODELS = (ModelInfo(name="tiny", kind="diffusion", size=64),)
PHOTO = gradient(80, 64)
MASK = Image.new("L", PHOTO.size, 0)
MASK.paste(255, (24, 24, 56, 48))

#: Everything that a line of a prompt may hold but what draws other words, or loads files.
LINES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="_{}<"),
    max_size=30,
).map(str.strip)


def leads_somewhere(text):
    """Whether a prompt's parts weigh more than nothing together; others are refused."""
    try:
        check_weights(text)
    except JobError:
        return False
    return True


PROMPTS = (
    st.lists(LINES, max_size=3)
    .map("\n".join)
    .map(str.strip)
    .filter(lambda text: "Negative prompt:" not in text and leads_somewhere(text))
)
SIDES = st.none() | st.integers(64, 200)
UPSCALERS = st.sampled_from(["lanczos", "nearest"])
#: Values that keep a job small, or that have a grammar of their own.
DRAWN: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("prompt", "negative_prompt"), PROMPTS),
    **dict.fromkeys(("hires_prompt", "hires_negative_prompt"), PROMPTS),
    **dict.fromkeys(("width", "height", "max_side"), SIDES),
    **dict.fromkeys(("hires_width", "hires_height"), SIDES),
    **dict.fromkeys(("left", "right", "up", "down"), st.integers(0, 64)),
    "model": st.sampled_from(["", "tiny"]),
    "refiner": st.sampled_from(["", "tiny"]),
    "batch": st.integers(1, 2),
    "loops": st.integers(1, 3),
    "hires_scale": st.floats(1, 2),
    "hires_upscaler": st.just("latent") | UPSCALERS,
    "upscaler": UPSCALERS,
    "second": st.just("") | UPSCALERS,
    "factor": st.floats(1, 2),
    "denoise": st.just(1.0),
    # A caption stands in the text as the prompt that it is: test_captioned_prompt.py.
    "caption_prompt": st.just(False),
    # What restores is a network; how it is written is in test_restored_jobs.py.
    **dict.fromkeys(("restore_faces", "colourise"), st.just("")),
    "restore_visibility": st.just(1.0),
    "restore_weight": st.just(0.5),
    # An edit by instruction takes a model that does it.
    "instruct": st.just(False),
    # What holds a picture is a network, too; how it is written is in test_control.py.
    "control_model": st.just(""),
    **dict.fromkeys(("control_kind", "control_type"), st.just("automatic")),
    "control_strength": st.just(1.0),
    "control_begin": st.just(0.0),
    "control_end": st.just(1.0),
    "mask_shape": st.sampled_from(["", "left 30%", "circle 50% 40% r20%"]),
}


@st.composite
def painted_jobs(draw: st.DrawFn, job_type: type[Job]) -> Job:
    """Draw a job over all of its options."""
    drawn = {
        option.name: draw(DRAWN.get(option.name, option_values(option)))
        for option in list_job_options(job_type)
    }
    if job_type is OutpaintJob:
        drawn["left"] = drawn["left"] or 8
    if job_type is UpscaleJob:
        if drawn["mode"] == "enlarge":  # then the options of a redraw do nothing
            drawn |= {
                option.name: option.default
                for option in list_job_options(job_type)
                if option.name in REDRAW_OPTIONS
            }
        else:  # which cannot be of less than 64 pixels a side
            for side in ("width", "height", "max_side"):
                drawn[side] = drawn[side] and max(128, drawn[side])
    return job_type(**drawn).with_seed(5)


def run_without_network(job: Job, context: OperationContext) -> JobResult:
    """Drive a job's operation to its end with grey pictures in the place of painted ones."""
    images = dict.fromkeys(job.required_images, PHOTO)
    images |= {name: MASK for name in job.optional_images if name == "mask"}
    operation = OPERATIONS[job.kind](job, images, context)
    results: list[Any] | None = None
    while True:
        try:
            request = operation.send(results)
        except StopIteration as end:
            return end.value
        results = [
            DenoiseResult(
                image=Image.new("RGB", (work.width, work.height), "grey"),
                latent=torch.zeros(4, work.height // 8, work.width // 8),
            )
            if isinstance(work, DenoiseWork)
            else work.call()
            for work in request.works
        ]


def same_in_words(job: Job) -> Job:
    """Say everything that a job leaves to the worker, of the first of its pictures."""
    if isinstance(job, UpscaleJob):
        said = {"model": "tiny"} if job.mode == "redraw" else {"seed": -1}
        return dataclasses.replace(job, **said)
    said: dict[str, Any] = {"batch": 1, "model": "tiny"}
    keeps_size = isinstance(job, InpaintJob) and not (job.width or job.height)
    if job.kind != "outpaint" and not keeps_size:
        source = None if job.kind == "imagine" else PHOTO.size
        said["width"], said["height"] = target_size(job.width, job.height, source, 64)
    return dataclasses.replace(job, **said)


@pytest.fixture(scope="module")
def context(tiny_library) -> OperationContext:
    """Give the surroundings of an operation that can put pictures into words."""

    def describe(image, how):
        yield from ()
        return f"a {how} picture, seen"

    return OperationContext(tiny_library, max_pixels=4096 * 4096, describe=describe)


def check_round_trip(job: Job, context: OperationContext) -> None:
    """Check that what a job writes is read back as an equal one, without a remark."""
    text = run_without_network(job, context).images[0].infotext
    info = parse_web_ui(text)
    assert info is not None, text
    again = job_from_info(info, MODELS, {}, type(job))
    assert (again.job, again.notes) == (same_in_words(job), ()), text


IN_MODULE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.proof
@pytest.mark.parametrize("job_type", KINDS)
@given(data=st.data())
@settings(max_examples=proof_size(25, 200), suppress_health_check=IN_MODULE)
def test_a_written_job_is_read_back_equal(context, job_type, data):
    check_round_trip(data.draw(painted_jobs(job_type)), context)


#: What stands in every text under a name of its own, or is another of each picture.
COMMON = {
    *("prompt", "negative_prompt", "model", "steps", "guidance", "sampler", "schedule", "seed"),
    *("variation_seed", "variation_strength", "clip_skip", "emphasis", "rng", "batch", "strength"),
    *("width", "height", "hires_strength", "left", "right", "up", "down"),
    *("control_model", "control_kind", "control_type", "control_strength"),
    *("control_begin", "control_end"),
}


def test_every_option_of_what_paints_has_a_key():
    sizes = {name for pair in SIZE_KEYS.values() for name in pair}
    without_key = {
        f"{job_type.kind} {option.name}"
        for job_type in KINDS
        for option in list_job_options(job_type)
        if option.name not in {*OPTION_KEYS, *NUMBER_OPTIONS.values(), *sizes, *COMMON}
    }
    assert without_key == set()
