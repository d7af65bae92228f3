"""Jobs held by ControlNets: which map goes where, what is written of it, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob, estimate_cost
from inference.engine.work import DenoiseWork
from inference.images.control.edges import draw_lines, find_edges
from inference.images.resize import ResizeMode, fit_image
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from tests.inference.conftest import save_checkpoint
from tests.inference.engine.control_nets import make_map, save_control

SMALL = {"prompt": "red apple", "steps": 3, "seed": 4, "width": 64, "height": 64, "model": "plain"}
MAP, PHOTO = make_map(3, 96), make_map(5, 120)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    shelf = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(8)
        save_checkpoint(shelf / "plain", 4)
    unet = UNet2DConditionModel.from_pretrained(shelf / "plain" / "unet")
    for name, seed in (("a-canny", 1), ("b-tile", 2), ("c-pose", 3)):
        save_control(shelf / "controlnet" / name, unet, seed)
    return open_library(shelf)


def open_library(shelf):
    config = EngineConfig(model="plain", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture
def run(library, run_operation):
    def run(job, **images):
        job.check_images(images)
        operation = OPERATIONS[job.kind](job, images, OperationContext(library))
        return run_operation(operation, library=library)

    return run


def works_of(job, images, library):
    """Collect the denoisings that a job asks for first."""
    operation = OPERATIONS[job.kind](job, images, OperationContext(library))
    request = operation.send(None)
    return [work for work in request.works if isinstance(work, DenoiseWork)]


def fitted(image, side=64):
    return fit_image(image, side, side, ResizeMode.CROP_AND_RESIZE)


def same(image, other):
    return np.array_equal(np.asarray(image), np.asarray(other))


@pytest.mark.parametrize(
    ("options", "network", "make"),
    [
        ({"control_kind": "canny"}, "a-canny", find_edges),
        ({"control_model": "a-canny", "control_kind": "lineart"}, "a-canny", draw_lines),
        ({"control_kind": "tile"}, "b-tile", lambda image: image),
        ({"control_model": "a-canny", "control_kind": "none"}, "a-canny", lambda image: image),
        ({"control_model": "c-pose"}, "c-pose", lambda image: image),
        ({}, "a-canny", find_edges),
    ],
)
def test_the_map_is_made_of_the_control_picture_at_the_works_size(library, options, network, make):
    (work,) = works_of(ImagineJob(**SMALL, **options), {"control": MAP}, library)
    (control,) = work.controls
    assert control.network == network
    assert same(control.image, make(fitted(MAP)))


def test_a_picture_worked_on_is_held_to_itself_unless_another_is_given(library):
    job = Img2ImgJob(**SMALL, control_kind="tile")
    (own,) = works_of(job, {"image": PHOTO}, library)
    (other,) = works_of(job, {"image": PHOTO, "control": MAP}, library)
    assert same(own.controls[0].image, fitted(PHOTO))
    assert same(other.controls[0].image, fitted(MAP))


def test_where_only_the_masked_part_is_worked_on_the_map_is_of_that_part(library):
    mask = Image.new("L", PHOTO.size, 0)
    mask.paste(255, (60, 60, 100, 100))
    options = {"area": "only masked", "padding": 0, "mask_blur": 0, "control_kind": "tile"}
    job = InpaintJob(**SMALL, **options)
    (own,) = works_of(job, {"image": PHOTO, "mask": mask}, library)
    assert same(own.controls[0].image, own.image)
    (other,) = works_of(job, {"image": PHOTO, "mask": mask, "control": MAP}, library)
    part = fitted(MAP, PHOTO.width).crop((60, 60, 100, 100))
    assert same(other.controls[0].image, part.resize((64, 64), Image.Resampling.LANCZOS))


def test_both_passes_of_a_hires_fix_are_held(run):
    options = {"control_kind": "canny", "hires_scale": 2.0}
    held = run(ImagineJob(**SMALL, **options), control=MAP).images[0].image
    free = run(ImagineJob(**SMALL, hires_scale=2.0)).images[0].image
    assert held.size == free.size == (128, 128)
    assert not same(held, free)


def test_what_held_a_picture_is_written_and_read_back(run):
    job = ImagineJob(
        **SMALL,
        control_model="a-canny",
        control_kind="canny",
        control_strength=0.8,
        control_begin=0.1,
        control_end=0.6,
    )
    text = run(job, control=MAP).images[0].infotext
    assert (
        'ControlNet 0: "Module: canny, Model: a-canny, Weight: 0.8, Resize Mode: Crop and Resize, '
        'Guidance Start: 0.1, Guidance End: 0.6, Pixel Perfect: True, Control Mode: Balanced"'
    ) in text
    again = job_from_info(parse_web_ui(text), (), {}, ImagineJob)
    names = [name for name in job.to_params() if name.startswith("control_")]
    assert {n: getattr(again.job, n) for n in names} == {n: getattr(job, n) for n in names}
    assert not any(note.code == "like.left_out" for note in again.notes)


def test_what_the_web_ui_wrote_is_read():
    text = (
        "a house\\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, "
        'ControlNet 0: "Module: openpose_full, Model: control_v11p_sd15_openpose [cab727d4], '
        "Weight: 1.2, Resize Mode: Crop and Resize, Processor Res: 512, Guidance Start: 0.0, "
        'Guidance End: 0.75, Pixel Perfect: True, Control Mode: Balanced", Version: v1.10.1'
    ).replace("\\n", "\n")
    job = job_from_info(parse_web_ui(text), (), {}, ImagineJob).job
    assert job.control_model == "control_v11p_sd15_openpose"
    assert (job.control_strength, job.control_end) == (1.2, 0.75)
    assert job.control_kind == "automatic"


def test_nothing_is_written_where_nothing_holds(run):
    assert "ControlNet" not in run(ImagineJob(**SMALL)).images[0].infotext
    job = ImagineJob(**SMALL, control_model="a-canny", control_strength=0.0)
    held = run(job, control=MAP).images[0]
    assert "ControlNet" not in held.infotext
    assert same(held.image, run(ImagineJob(**SMALL)).images[0].image)


def test_a_ready_map_is_said_to_be_taken_as_one(run):
    notes = run(ImagineJob(**SMALL, control_model="c-pose"), control=MAP).notes
    assert [note.code for note in notes].count("control.as_it_is") == 1


def test_without_a_picture_or_a_network_there_is_a_refusal(run):
    with pytest.raises(JobError) as refused:
        run(ImagineJob(**SMALL, control_kind="canny"))
    assert (refused.value.field, refused.value.notice.code) == ("control", "control.no_picture")
    with pytest.raises(JobError) as refused:
        run(ImagineJob(**SMALL, control_kind="lineart"), control=MAP)
    assert refused.value.notice.code == "control.no_kind"
    assert "canny" in json.dumps(str(refused.value))


def test_the_price_holds_the_network_for_the_steps_that_it_acts_in():
    free = estimate_cost(ImagineJob(width=512, height=512))
    held = estimate_cost(ImagineJob(width=512, height=512, control_model="a-canny"))
    half = estimate_cost(
        ImagineJob(width=512, height=512, control_model="a-canny", control_end=0.5)
    )
    assert free < half < held < 1.4 * free
    assert half - free == pytest.approx((held - free) / 2)
