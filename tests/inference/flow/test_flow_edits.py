"""Edits by instruction through the operations: what is looked at, what stays, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_dimensions
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import Img2ImgJob, InpaintJob
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.operations.shared.reference_fit import MEGAPIXEL, TRAINED_SIZES, fit_reference
from tests.inference.flow.test_flow_references import draw_picture

EDIT = {
    "model": "klein",
    "prompt": "a red apple on the table",
    "steps": 2,
    "seed": 3,
    "sampler": "Euler",
    "guidance": 1.0,
    "strength": 1.0,
    "instruct": True,
}
PHOTO, OTHER = draw_picture((81, 70), 1), draw_picture((64, 90), 2)


def difference(one, other):
    return np.abs(np.asarray(one, int) - np.asarray(other, int))


def test_what_is_looked_at_counts(run_flow_job):
    size = {"width": 64, "height": 64}
    plain = run_flow_job(Img2ImgJob(**EDIT | {"instruct": False}, **size), image=PHOTO).images[0]
    alone = run_flow_job(Img2ImgJob(**EDIT, **size), image=PHOTO).images[0]
    beside = run_flow_job(Img2ImgJob(**EDIT, **size), image=PHOTO, image2=OTHER).images[0]
    swapped = run_flow_job(Img2ImgJob(**EDIT, **size), image=OTHER, image2=PHOTO).images[0]
    pictures = [answer.image.tobytes() for answer in (plain, alone, beside, swapped)]
    assert len(set(pictures)) == 4


def test_an_edit_is_as_large_as_the_model_likes_in_the_pictures_shape(run_flow_job):
    image = run_flow_job(Img2ImgJob(**EDIT), image=draw_picture((96, 48), 4)).images[0].image
    assert image.width / image.height == pytest.approx(2, abs=0.05)
    assert image.width * image.height == pytest.approx(MEGAPIXEL, rel=0.05)


def test_its_text_makes_the_same_edit_again(run_flow_job):
    size = {"width": 64, "height": 64}
    answer = run_flow_job(Img2ImgJob(**EDIT, **size), image=PHOTO).images[0]
    again = job_from_info(parse_web_ui(answer.infotext), (), {}, Img2ImgJob).job
    assert again.instruct
    repeated = run_flow_job(replace(again, model="klein"), image=PHOTO).images[0]
    assert repeated.image.tobytes() == answer.image.tobytes()


@pytest.mark.parametrize("name", ["klein", "kontext"])
def test_outside_a_mask_every_pixel_stays(name, run_flow_job):
    mask = Image.new("L", PHOTO.size, 0)
    mask.paste(255, (20, 20, 60, 60))
    job = InpaintJob(**EDIT | {"model": name}, mask_blur=0)
    more = {"image2": OTHER} if name == "klein" else {}
    found = run_flow_job(job, image=PHOTO, mask=mask, **more).images[0].image
    assert found.size == PHOTO.size
    inside = np.asarray(mask) > 0
    assert difference(PHOTO, found)[~inside].max() == 0
    assert difference(PHOTO, found)[inside].mean() > 3


def test_variants_of_an_edit_have_seeds_of_their_own(run_flow_job):
    job = Img2ImgJob(**EDIT, batch=2, width=64, height=64)
    answers = run_flow_job(job, image=PHOTO, image2=OTHER).images
    assert [answer.seed for answer in answers] == [3, 4]
    assert answers[0].image.tobytes() != answers[1].image.tobytes()


@pytest.mark.parametrize(
    ("settings", "images", "field", "words"),
    [
        ({"model": "kontext"}, {"image2": OTHER}, "image2", "up to 1 pictures"),
        ({"model": "z-image"}, {}, "model", "does not edit by instructions"),
        ({"model": "flux-dev"}, {"image2": OTHER}, "model", "does not edit by instructions"),
        ({"instruct": False}, {"image3": OTHER}, "image3", "edits by instructions alone"),
    ],
)
@pytest.mark.parametrize("is_masked", [False, True])
def test_what_a_model_does_not_look_at_is_refused_at_once(
    settings, images, field, words, is_masked, run_flow_job
):
    job_type = InpaintJob if is_masked else Img2ImgJob
    masks = {"mask": Image.new("L", PHOTO.size, 255)} if is_masked else {}
    with pytest.raises(JobError, match=words) as refusal:
        run_flow_job(job_type(**EDIT | settings), image=PHOTO, **masks, **images)
    assert refusal.value.field == field


def test_a_refused_edit_asks_the_engine_for_nothing(flow_library):
    """So nothing of it was ever in a batch with others."""
    images = {"image": PHOTO, "image2": OTHER}
    job = Img2ImgJob(**EDIT | {"model": "kontext"})
    operation = OPERATIONS[job.kind](job, images, OperationContext(flow_library))
    with pytest.raises(JobError):
        next(operation)


def test_workers_say_how_many_pictures_a_model_looks_at(flow_library):
    flow_library.resolve_name("")
    counts = {model.name: model.references for model in flow_library.list_models()}
    assert {name: counts[name] for name in ("klein", "kontext", "flux-dev", "tiny")} == {
        "klein": 4,
        "kontext": 1,
        "flux-dev": 0,
        "tiny": 0,
    }


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((81, 70), (80, 64)),
        ((2048, 1024), (1440, 720)),
        ((1024, 1024), (1024, 1024)),
        ((8, 300), (16, 592)),
    ],
)
def test_the_middle_is_cut_in_whole_patches_of_a_megapixel(size, fitted):
    image = fit_reference(draw_picture(size, 1), "crop")
    assert image.size == fitted
    assert math.prod(image.size) <= MEGAPIXEL


@pytest.mark.parametrize("size", [(640, 480), (100, 900), (512, 512), (1920, 1080)])
def test_pictures_come_to_the_sizes_of_the_pipelines(size):
    assert sorted(TRAINED_SIZES) == sorted(PREFERRED_KONTEXT_RESOLUTIONS)
    ratio = size[0] / size[1]
    _, *kontext = min((abs(ratio - w / h), w, h) for w, h in PREFERRED_KONTEXT_RESOLUTIONS)
    picture = draw_picture(size, 1)
    assert fit_reference(picture, "trained sizes").size == tuple(kontext)
    assert fit_reference(picture, "megapixel").size == calculate_dimensions(MEGAPIXEL, ratio)


def test_a_fit_that_nobody_knows_is_an_error():
    with pytest.raises(ValueError, match="stretch"):
        fit_reference(PHOTO, "stretch")
