"""Edits by instruction where a mask says: nothing else changes, and the picture is looked at."""

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import Img2ImgJob, InpaintJob
from inference.api.jobs.price import list_denoise_passes
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from tests.inference.conftest import save_checkpoint
from tests.inference.operations.conftest import gradient

SETTINGS = {"prompt": "red apple", "steps": 3, "seed": 4, "strength": 1.0}
PHOTO = gradient(100, 70)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    shelf = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(8)
        save_checkpoint(shelf / "edit", 8)
    config = EngineConfig(model="edit", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture
def run(library, run_operation):
    def run(job, **images):
        operation = OPERATIONS[job.kind](job, images, OperationContext(library))
        return run_operation(operation, library=library).images[0]

    return run


@pytest.fixture
def mask():
    mask = Image.new("L", PHOTO.size, 0)
    mask.paste(255, (30, 10, 75, 60))
    return mask


@pytest.mark.parametrize("image", [PHOTO, gradient(64, 64)], ids=["odd", "own"])
def test_outside_the_mask_every_pixel_stays(run, mask, image):
    mask = mask.crop((0, 0, *image.size))
    found = run(InpaintJob(**SETTINGS, mask_blur=0), image=image, mask=mask).image
    before, after = np.asarray(image, int), np.asarray(found, int)
    inside = np.asarray(mask) > 0
    assert (before[~inside] == after[~inside]).all()
    assert np.abs(before[inside] - after[inside]).mean() > 3


def test_a_mask_over_all_is_the_edit_of_the_whole_picture(run):
    image = gradient(64, 64)
    everything = Image.new("L", image.size, 255)
    masked = run(InpaintJob(**SETTINGS, mask_blur=0), image=image, mask=everything).image
    whole = run(Img2ImgJob(**SETTINGS), image=image).image
    assert np.abs(np.asarray(masked, int) - np.asarray(whole, int)).max() <= 1


def test_how_closely_it_keeps_to_the_picture_counts_and_is_written(run, mask):
    near, far = (
        run(InpaintJob(**SETTINGS, image_guidance=scale), image=PHOTO, mask=mask)
        for scale in (2.5, 0.5)
    )
    assert near.image.tobytes() != far.image.tobytes()
    assert "Image CFG scale: 2.5" in near.infotext
    again = job_from_info(parse_web_ui(near.infotext), (), {}, InpaintJob).job
    assert again.image_guidance == 2.5


def test_an_edit_under_a_mask_costs_three_entries_a_call():
    (plain,) = list_denoise_passes(InpaintJob(**SETTINGS), (64, 64), 64)
    (edited,) = list_denoise_passes(InpaintJob(**SETTINGS), (64, 64), 64, is_instructed=True)
    assert edited.rows * 2 == plain.rows * 3
