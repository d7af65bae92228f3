"""Memory that runs out, rung by rung: no job is lost, and its picture is the same."""

import gc

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import OutOfMemory
from inference.api.jobs import Img2ImgJob
from inference.diffusion import diffusers_folder, striped_vae
from inference.diffusion.model import DiffusionModel, LatentCodec
from inference.diffusion.offload import OffloadManager
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import JobResult
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
JOB = Img2ImgJob(seed=7, steps=3, width=64, height=64, sampler="Euler", strength=0.8)


@pytest.fixture
def library(tiny_model, tmp_path):
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path))
    return ModelLibrary(config, CPU, torch.float32)


def run(library, *jobs):
    """Run jobs together to their ends, in their order."""
    engine = Engine(
        Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1), library.loadable_together)
    )
    ends = {}
    reports = []
    for number, job in enumerate(jobs):
        operation = OPERATIONS[job.kind](
            job, {"image": Image.fromarray(PIXELS)}, OperationContext(library)
        )
        reports += engine.add_job(str(number), 1, operation)
    while True:
        for report in reports:
            if isinstance(report, RunCompleted):
                ends[report.run.job_id] = report.result
            elif isinstance(report, RunFailed):
                ends[report.run.job_id] = report.error
        if engine.is_idle:
            return [ends[name] for name in sorted(ends)]
        reports = engine.step()


def image(outcome):
    return np.asarray(outcome.images[0].image, dtype=np.int16)


def too_much(*_arguments, **_named):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")


@pytest.mark.parametrize("part", ["encode", "decode"])
def test_an_autoencoder_that_does_not_fit_works_in_stripes(library, monkeypatch, part):
    (expected,) = run(library, JOB)
    tries = []
    monkeypatch.setattr(LatentCodec, part, lambda *rest: tries.append(1) or too_much())
    first, second = (*run(library, JOB), *run(library, JOB))

    assert np.abs(image(expected) - image(first)).max() <= 1
    assert np.array_equal(image(first), image(second))
    # The size that did not fit is not tried whole again.
    assert tries == [1]


def test_stripes_that_do_not_fit_either_fail_with_words(library, monkeypatch):
    monkeypatch.setattr(LatentCodec, "decode", too_much)
    monkeypatch.setattr(striped_vae, "decode_striped", too_much)
    (error,) = run(library, JOB)

    assert isinstance(error, OutOfMemory)


def test_the_network_takes_rung_after_rung(library, monkeypatch):
    (expected,) = run(library, JOB)
    real, sizes, climbed = DiffusionModel.denoise, [], []

    def scarce(self, x, *rest):
        sizes.append(len(x))
        return real(self, x, *rest) if len(climbed) == 2 and len(x) == 2 else too_much()

    monkeypatch.setattr(OffloadManager, "escalate_level", lambda self: climbed.append(1) or True)
    monkeypatch.setattr(DiffusionModel, "denoise", scarce)
    first, second = run(library, JOB, JOB)

    # Two jobs with guidance are four entries; halved, then alone and entry by entry, and the same
    # with less and less at hand.
    assert sizes[:6] == [4, 2, 1, 2, 1, 2]
    assert np.array_equal(image(expected), image(first))
    assert np.array_equal(image(expected), image(second))


def test_other_networks_leave_first(library, monkeypatch):
    (expected,) = run(library, JOB)
    library.get_checkpoint("tiny-inpaint")
    real = DiffusionModel.denoise

    def scarce(self, x, *rest):
        return real(self, x, *rest) if len(library.model_cache) == 1 else too_much()

    monkeypatch.setattr(DiffusionModel, "denoise", scarce)
    (outcome,) = run(library, JOB)

    assert list(library.model_cache) == [("diffusion", "tiny")]
    assert np.array_equal(image(expected), image(outcome))


def test_a_checkpoint_too_large_as_a_whole_is_laid_beside_the_device(library, monkeypatch):
    real, places = diffusers_folder.load_folder, []

    def scarce(path, name, device, dtype):
        places.append(device.type)
        return real(path, name, device, dtype) if device == CPU else too_much()

    monkeypatch.setattr(diffusers_folder, "load_folder", scarce)
    # A device without memory of its own stands for the card.
    card = torch.device("meta")
    monkeypatch.setattr(library, "device", card)
    object.__setattr__(library._loader, "device", card)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        library.get_checkpoint("tiny")
    assert library.free_memory(("diffusion", "tiny"))
    model = library.get_checkpoint("tiny")

    assert places == ["meta", "cpu"]
    assert card == model.device
    model.offload.prepare_part("vae", 1)
    assert (model.vae.device.type, model.unet.device.type) == ("meta", "cpu")


def test_nothing_left_to_relieve_is_said(library):
    assert not library.free_memory(("diffusion", "tiny"))
    assert not library.free_memory(None)


@pytest.mark.parametrize("level", ["medvram", "lowvram"])
def test_sparing_memory_changes_no_picture(library, tiny_model, tmp_path, level):
    config = EngineConfig(
        model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path), low_memory=level
    )
    (expected,) = run(library, JOB)
    (outcome,) = run(ModelLibrary(config, CPU, torch.float32), JOB)

    assert np.array_equal(image(expected), image(outcome))


def test_a_failed_try_leaves_nothing_behind(library, monkeypatch):
    made = []

    class Ballast:
        pass

    def heavy(*_arguments):
        ballast = Ballast()
        made.append(id(ballast))
        return too_much()

    monkeypatch.setattr(LatentCodec, "decode", heavy)
    (outcome,) = run(library, JOB)

    assert isinstance(outcome, JobResult)
    assert made
    assert not [found for found in gc.get_objects() if type(found) is Ballast]
