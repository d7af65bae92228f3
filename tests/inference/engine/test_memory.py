"""Memory that runs out, rung by rung: no job is lost, and its picture is the same."""

import gc

import numpy as np
import pytest
import torch
from PIL import Image

from inference.config import EngineConfig
from inference.engine.engine import Broken, Done, Engine, lane_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import Outcome
from inference.errors import OutOfMemory
from inference.jobs import Img2Img
from inference.models import diffusion, folder, striped_vae
from inference.models.diffusion import DiffusionModel
from inference.models.library import Library
from inference.models.thrift import Thrift
from inference.operations.registry import OPERATIONS
from inference.operations.studio import Studio

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
JOB = Img2Img(seed=7, steps=3, width=64, height=64, sampler="Euler", strength=0.8)


@pytest.fixture
def library(tiny_model, tmp_path):
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path))
    return Library(config, CPU, torch.float32)


def run(library, *jobs):
    """Run jobs together to their ends, in their order."""
    engine = Engine(Runner(library, {}), Scheduler(8, lane_limit(8, 1), library.fitting))
    ends = {}
    reports = []
    for number, job in enumerate(jobs):
        operation = OPERATIONS[job.kind](job, {"image": Image.fromarray(PIXELS)}, Studio(library))
        reports += engine.add(str(number), 1, operation)
    while True:
        for report in reports:
            if isinstance(report, Done):
                ends[report.run.job_id] = report.outcome
            elif isinstance(report, Broken):
                ends[report.run.job_id] = report.error
        if engine.idle:
            return [ends[name] for name in sorted(ends)]
        reports = engine.step()


def picture(outcome):
    return np.asarray(outcome.pictures[0].picture, dtype=np.int16)


def too_much(*_arguments):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")


@pytest.mark.parametrize("part", ["_encode", "_decode"])
def test_an_autoencoder_that_does_not_fit_works_in_stripes(library, monkeypatch, part):
    (expected,) = run(library, JOB)
    tries = []
    monkeypatch.setattr(diffusion, part, lambda *rest: tries.append(1) or too_much())
    first, second = (*run(library, JOB), *run(library, JOB))

    assert np.abs(picture(expected) - picture(first)).max() <= 1
    assert np.array_equal(picture(first), picture(second))
    # The size that did not fit is not tried whole again.
    assert [1] == tries


def test_stripes_that_do_not_fit_either_fail_with_words(library, monkeypatch):
    monkeypatch.setattr(diffusion, "_decode", too_much)
    monkeypatch.setattr(striped_vae, "decode", too_much)
    (error,) = run(library, JOB)

    assert isinstance(error, OutOfMemory)


def test_the_network_takes_rung_after_rung(library, monkeypatch):
    (expected,) = run(library, JOB)
    real, sizes, climbed = DiffusionModel.denoise, [], []

    def scarce(self, x, *rest):
        sizes.append(len(x))
        return real(self, x, *rest) if len(climbed) == 2 and len(x) == 2 else too_much()

    monkeypatch.setattr(Thrift, "climb", lambda self: climbed.append(1) or True)
    monkeypatch.setattr(DiffusionModel, "denoise", scarce)
    first, second = run(library, JOB, JOB)

    # Two jobs with guidance are four rows; halved, and then alone with less and less at hand.
    assert [4, 2, 2, 2] == sizes[:4]
    assert np.array_equal(picture(expected), picture(first))
    assert np.array_equal(picture(expected), picture(second))


def test_other_networks_leave_first(library, monkeypatch):
    (expected,) = run(library, JOB)
    library.diffusion("tiny-inpaint")
    real = DiffusionModel.denoise

    def scarce(self, x, *rest):
        return real(self, x, *rest) if len(library._resident) == 1 else too_much()

    monkeypatch.setattr(DiffusionModel, "denoise", scarce)
    (outcome,) = run(library, JOB)

    assert [("diffusion", "tiny")] == list(library._resident)
    assert np.array_equal(picture(expected), picture(outcome))


def test_a_checkpoint_too_large_as_a_whole_is_laid_beside_the_device(library, monkeypatch):
    real, places = folder.load_folder, []

    def scarce(path, name, device, dtype):
        places.append(device.type)
        return real(path, name, device, dtype) if device == CPU else too_much()

    monkeypatch.setattr(folder, "load_folder", scarce)
    # A device without memory of its own stands for the card.
    card = torch.device("meta")
    monkeypatch.setattr(library, "_device", card)
    object.__setattr__(library._loader, "device", card)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        library.diffusion("tiny")
    assert library.relieve(("diffusion", "tiny"))
    model = library.diffusion("tiny")

    assert ["meta", "cpu"] == places
    assert card == model.device
    model.thrift.use("vae", 1)
    assert ("meta", "cpu") == (model.vae.device.type, model.unet.device.type)


def test_nothing_left_to_relieve_is_said(library):
    assert not library.relieve(("diffusion", "tiny"))
    assert not library.relieve(None)


@pytest.mark.parametrize("level", ["medvram", "lowvram"])
def test_sparing_memory_changes_no_picture(library, tiny_model, tmp_path, level):
    config = EngineConfig(
        model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path), low_memory=level
    )
    (expected,) = run(library, JOB)
    (outcome,) = run(Library(config, CPU, torch.float32), JOB)

    assert np.array_equal(picture(expected), picture(outcome))


def test_a_failed_try_leaves_nothing_behind(library, monkeypatch):
    made = []

    class Ballast:
        pass

    def heavy(*_arguments):
        ballast = Ballast()
        made.append(id(ballast))
        return too_much()

    monkeypatch.setattr(diffusion, "_decode", heavy)
    (outcome,) = run(library, JOB)

    assert isinstance(outcome, Outcome)
    assert made
    assert not [found for found in gc.get_objects() if type(found) is Ballast]
