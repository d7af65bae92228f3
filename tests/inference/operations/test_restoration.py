"""Restoring as part of a job: whose faces, how much of it, what is written, what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob, UpscaleJob
from inference.images.face_crops import PORTRAIT_POINTS, crop_face, paste_faces
from inference.model_files.errors import MissingWeights, UnknownModel, UnsupportedWeights
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.operations.shared.restoration import FACE_QUEUE
from inference.vision.segmentation.faces import FaceBoxes
from tests.inference.operations.conftest import gradient
from tests.inference.restoration.conftest import (
    TINY_SIDE,
    save_codeformer,
    save_ddcolor,
    save_gfpgan,
)

#: A face of 60 pixels whose corner lies at (20, 10).
POINTS = (PORTRAIT_POINTS * 60 + (20, 10)).astype(np.float32)
KEEP = {"upscaler": "lanczos", "factor": 1.0}
PHOTO = gradient(120, 100)


@pytest.fixture(scope="module")
def folder(tiny_model, tmp_path_factory):
    """A host with the tiny checkpoint and networks that restore."""
    models = tmp_path_factory.mktemp("host")
    (models / "tiny").symlink_to(tiny_model / "tiny")
    save_gfpgan(models / "restorers" / "gfpgan-tiny.safetensors")
    save_codeformer(models / "restorers" / "codeformer.safetensors")
    save_ddcolor(models / "restorers" / "colours.safetensors")
    return models


def open_library(folder, **config):
    config = EngineConfig(model="tiny", models_dir=str(folder), cache_dir=str(folder), **config)
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def library(folder):
    return open_library(folder)


def find_faces(points):
    """Stand in for the detector: where every picture's faces are."""

    def find(_key, images):
        boxes = np.zeros((len(points), 5), np.float32)
        return [FaceBoxes(boxes, np.array(points, np.float32).reshape(-1, 5, 2)) for _ in images]

    return {FACE_QUEUE: find}


@pytest.fixture
def run(library, run_operation):
    def run(job, image=PHOTO, points=(POINTS,), of=library, **images):
        operation = OPERATIONS[job.kind](job, {"image": image, **images}, OperationContext(of))
        return run_operation(operation, hands=find_faces(points), library=of)

    return run


def expected_restoration(library, image, visibility=1.0):
    crop = crop_face(image, POINTS, TINY_SIDE)
    network = library.restorers.get_restorer("gfpgan-tiny")
    return paste_faces(image, [crop], network.restore_faces([crop.image], 0.5), visibility)


@pytest.mark.parametrize("visibility", [1.0, 0.3])
def test_an_upscale_ends_with_restored_faces(run, library, visibility):
    job = UpscaleJob(**KEEP, restore_faces="gfpgan-tiny", restore_visibility=visibility)
    result = run(job)
    expected = expected_restoration(library, PHOTO, visibility)
    assert result.images[0].image.tobytes() == expected.tobytes() != PHOTO.tobytes()
    assert result.notes == ()
    text = result.images[0].infotext
    assert "Face restoration: gfpgan-tiny" in text
    assert f"GFPGAN visibility: {visibility:g}" in text


def test_the_architecture_is_a_name_too(run):
    named = run(UpscaleJob(**KEEP, restore_faces="gfpgan-tiny")).images[0].image
    assert run(UpscaleJob(**KEEP, restore_faces="GFPGAN")).images[0].image == named


def test_faces_are_sought_in_the_enlarged_picture(run):
    result = run(UpscaleJob(upscaler="lanczos", factor=2.0, restore_faces="gfpgan"))
    large = PHOTO.resize((240, 200), Image.Resampling.LANCZOS)
    changed = np.abs(np.asarray(result.images[0].image, int) - np.asarray(large, int)).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert columns.min() >= 20
    assert columns.max() <= 80
    assert rows.min() >= 10
    assert rows.max() <= 70


def test_nothing_of_it_to_see_asks_no_network(run, library):
    before = library.model_cache.loads
    job = UpscaleJob(**KEEP, restore_faces="gfpgan-tiny", restore_visibility=0.0)
    assert run(job, points=()).images[0].image.tobytes() == PHOTO.tobytes()
    assert library.model_cache.loads == before


@pytest.mark.parametrize("points", [(), (POINTS / 30,)])
def test_a_picture_without_a_face_is_given_back_with_a_word(run, points):
    result = run(UpscaleJob(**KEEP, restore_faces="gfpgan-tiny"), points=points)
    assert result.images[0].image.tobytes() == PHOTO.tobytes()
    assert [note.code for note in result.notes] == ["restore.no_face"]


def test_transparency_is_kept(run):
    image = PHOTO.copy()
    image.putalpha(gradient(120, 100).convert("L"))
    found = run(UpscaleJob(**KEEP, restore_faces="gfpgan-tiny"), image).images[0].image
    assert found.mode == "RGBA"
    assert found.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_colours_come_before_all_else(run):
    grey = PHOTO.convert("L").convert("RGB")
    result = run(UpscaleJob(upscaler="nearest", factor=2.0, colourise="colours"), grey)
    pixels = np.asarray(result.images[0].image, int)
    assert pixels.shape == (200, 240, 3)
    assert (pixels.max(axis=-1) - pixels.min(axis=-1)).max() > 5
    assert (pixels[::2, ::2] == pixels[1::2, 1::2]).all()
    assert "Postprocess colorizer: colours" in result.images[0].infotext


@pytest.mark.parametrize(
    "job_type", [ImagineJob, Img2ImgJob, InpaintJob], ids=lambda job_type: job_type.kind
)
def test_what_is_painted_ends_with_restored_faces(run, library, job_type):
    settings = {"steps": 2, "seed": 1, "width": 64, "height": 64}
    mask = Image.new("L", (64, 64), 255)
    images = {} if job_type is ImagineJob else {"image": gradient(64, 64)}
    images |= {"mask": mask} if job_type is InpaintJob else {}
    points = ((POINTS - (20, 10)) * 0.8).astype(np.float32)
    plain, restored = (
        run(job_type(**settings, restore_faces=name), points=(points,), **images).images[0]
        for name in ("", "gfpgan-tiny")
    )
    crop = crop_face(plain.image, points, TINY_SIDE)
    network = library.restorers.get_restorer("gfpgan-tiny")
    expected = paste_faces(plain.image, [crop], network.restore_faces([crop.image], 0.5), 1.0)
    levels = [np.asarray(image, int) for image in (restored.image, expected, plain.image)]
    assert np.abs(levels[0] - levels[1]).max() <= 1  # a number in the middle rounds either way
    assert np.abs(levels[0] - levels[2]).max() > 1
    assert "Face restoration" not in plain.infotext
    assert "Seed: 1, Face restoration: gfpgan-tiny, Size: 64x64" in restored.infotext


def test_outside_the_mask_no_face_is_touched(run):
    image = gradient(64, 64)
    mask = Image.new("L", image.size, 0)
    mask.paste(255, (0, 0, 20, 64))
    job = InpaintJob(steps=2, seed=1, mask_blur=0, restore_faces="gfpgan-tiny")
    found = run(job, image, points=((POINTS - (20, 10)),), mask=mask).images[0].image
    outside = (20, 0, 64, 64)
    assert found.crop(outside).tobytes() == image.crop(outside).tobytes()
    assert found.tobytes() != image.tobytes()


def test_a_name_that_is_none_is_told_before_anything_is_painted(run):
    with pytest.raises(UnknownModel, match=r"no face restorer “gfpgam-tiny”.*gfpgan-tiny"):
        run(Img2ImgJob(steps=2, restore_faces="gfpgam-tiny"), gradient(64, 64))
    with pytest.raises(UnknownModel, match="no colouriser “gfpgan-tiny”"):
        run(UpscaleJob(**KEEP, colourise="gfpgan-tiny"))


def test_a_licence_that_forbids_earning_needs_the_hosts_word(run, folder):
    job = UpscaleJob(**KEEP, restore_faces="codeformer")
    with pytest.raises(UnsupportedWeights, match="EASEL_NON_COMMERCIAL=on"):
        run(job)
    allowed = open_library(folder, non_commercial=True)
    assert allowed.restorers.resolve_name("CodeFormer", "face_restorer") == "codeformer"


def test_only_what_can_be_run_is_offered(folder, monkeypatch):
    def offered(finds_faces=True, **config):
        restorers = open_library(folder, **config).restorers
        return {info.name for info in restorers.list_restorers(finds_faces=finds_faces)}

    assert offered() == {"gfpgan-tiny", "colours"}
    assert offered(non_commercial=True) == {"gfpgan-tiny", "colours", "codeformer"}
    assert offered(finds_faces=False) == {"colours"}
    monkeypatch.setattr("inference.restoration.networks.find_spec", lambda name: None)
    assert offered(non_commercial=True) == {"gfpgan-tiny"}


def test_without_what_finds_faces_it_is_said(library, run_operation, monkeypatch, tmp_path):
    monkeypatch.setattr("inference.vision.segmentation.files.find_spec", lambda name: None)
    job = UpscaleJob(**KEEP, restore_faces="gfpgan-tiny")
    operation = OPERATIONS["upscale"](job, {"image": PHOTO}, OperationContext(library))
    library.segmenters.__dict__.pop("_face_finder", None)
    with pytest.raises(MissingWeights, match=r"easel-bot\[masks\]"):
        run_operation(operation, library=library)
