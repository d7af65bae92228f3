"""A second checkpoint takes over at the switch point: held to diffusers' two pipelines."""

from __future__ import annotations

from itertools import pairwise

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import ImagineJob, Img2ImgJob
from inference.diffusion.model import DiffusionModel
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.sampling.noise import NoiseSource
from inference.sampling.step_plan import plan_noise_levels

TOLERANCE = 1e-4  # of a latent's numbers, which are about 1
STEPS, SEED, GUIDANCE = 12, 5, 6.0
PROMPT, NEGATIVE = "red apple", "cat"
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "linspace",
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, write_original):
    folder = tmp_path_factory.mktemp("models")
    for number, (name, family) in enumerate(
        {"base": "sdxl", "fine": "refiner", "other": "sdxl", "one": "sd1", "two": "sd1"}.items()
    ):
        write_original(folder / f"{name}.safetensors", family, seed=number)
    return folder


@pytest.fixture(scope="module")
def make_library(shelf, tiny_configs):
    def make(budget=0):
        config = EngineConfig(model="base", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
        cpu = torch.device("cpu")
        return ModelLibrary(config, cpu, torch.float32, budget=budget, configs=tiny_configs)

    return make


@pytest.fixture(scope="module")
def library(make_library):
    library = make_library()
    library.list_models()
    return library


@pytest.fixture
def calls(monkeypatch):
    """Give the names of the networks called, in order."""
    names, real = [], DiffusionModel.denoise

    def count(self, *inputs):
        names.append(self.name)
        return real(self, *inputs)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    return names


def paint(**more):
    settings = {
        "model": "base",
        "refiner": "fine",
        "refiner_switch": 0.7,
        "width": 64,
        "height": 64,
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": SEED,
        "decode": False,
    }
    return DenoiseWork(**(settings | more))


def run(library, works, scheduler=None):
    def asking(work):
        (result,) = yield WorkRequest(works=(work,))
        return JobResult(text=result.latent)

    engine = Engine(Runner(library, {}), scheduler or Scheduler(8, aux_batch_limit(8, 1)))
    ends, reports = {}, []
    for number, work in enumerate(works):
        reports += engine.add_job(str(number), 1, asking(work))
    while not engine.is_idle:
        reports = engine.step()
        assert not [report for report in reports if isinstance(report, RunFailed)], reports
        ends |= {r.run.job_id: r.result.text for r in reports if isinstance(r, RunCompleted)}
    return [ends[str(number)] for number in range(len(works))]


def text_fields(model):
    encoder = model.text_encoders.build_encoder(1, "Original")
    positive, negative = (encoder.encode_pooled(text) for text in (PROMPT, NEGATIVE))
    return {
        "prompt_embeds": positive.crossattn[None],
        "pooled_prompt_embeds": positive.pooled[None],
        "negative_prompt_embeds": negative.crossattn[None],
        "negative_pooled_prompt_embeds": negative.pooled[None],
    }


def theirs(library, switch):
    """Paint with one pipeline to the switch point, and go on with the other."""
    base, fine = library.get_checkpoint("base"), library.get_checkpoint("fine")
    sigma = plan_noise_levels("Euler", "Automatic", STEPS, None, base.table).sigmas[0]
    noise = NoiseSource(SEED, (4, 8, 8)).initial_noise()
    first = diffusers.StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoders.models[0],
        text_encoder_2=base.text_encoders.models[1],
        tokenizer=None,
        tokenizer_2=None,
        unet=base.unet,
        scheduler=diffusers.EulerDiscreteScheduler(**SCHEDULER),
        add_watermarker=False,
    )
    second = diffusers.StableDiffusionXLImg2ImgPipeline(
        vae=fine.vae,
        text_encoder=None,
        text_encoder_2=fine.text_encoders.models[0],
        tokenizer=None,
        tokenizer_2=None,
        unet=fine.unet,
        scheduler=diffusers.EulerDiscreteScheduler(**SCHEDULER),
        requires_aesthetics_score=True,
        add_watermarker=False,
    )
    shared = {
        "num_inference_steps": STEPS,
        "guidance_scale": GUIDANCE,
        "original_size": (64, 64),
        "target_size": (64, 64),
        "output_type": "latent",
    }
    for pipeline in (first, second):
        pipeline.set_progress_bar_config(disable=True)
    latents = noise[None] * (sigma / float(first.scheduler.init_noise_sigma))
    latents = first(
        latents=latents, denoising_end=switch, height=64, width=64, **text_fields(base), **shared
    ).images
    return second(image=latents, denoising_start=switch, **text_fields(fine), **shared).images[0]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("switch", [0.3, 0.7, 0.95])
def test_the_two_equal_diffusers_two_pipelines(library, calls, switch):
    (latent,) = run(library, [paint(refiner_switch=switch)])
    mine = list(calls)
    assert float((latent - theirs(library, switch)).abs().max()) <= TOLERANCE
    assert mine == sorted(mine)
    assert set(mine) == {"base", "fine"}


def test_rows_that_switch_and_rows_that_do_not_equal_each_alone(library):
    works = [
        paint(),
        paint(refiner="", seed=6),
        paint(refiner_switch=0.4, sampler="DPM++ 2S a", seed=7, prompt="a cat AND white sky"),
        paint(refiner="other", seed=8, guidance=1.2, sampler="Euler a CFG++"),
        paint(model="one", refiner="two", seed=9),
        paint(refiner_switch=1.0, seed=10),
    ]
    for work, latent in zip(works, run(library, works), strict=True):
        (alone,) = run(library, [work])
        size = max(1.0, float(alone.abs().max()))
        assert float((alone - latent).abs().max()) <= TOLERANCE * size


@pytest.mark.parametrize(("model", "refiner"), [("one", "two"), ("base", "other")])
def test_any_checkpoint_of_the_family_goes_on(library, model, refiner):
    (latent,) = run(library, [paint(model=model, refiner=refiner, guidance=1.0)])

    networks = [library.get_checkpoint(name) for name in (model, refiner)]
    sigmas = plan_noise_levels("Euler", "Automatic", STEPS, None, networks[0].table).sigmas
    x = NoiseSource(SEED, (4, 8, 8)).initial_noise()[None] * sigmas[0]
    for sigma, sigma_next in pairwise(sigmas):
        step = round(networks[0].table.sigma_to_t(sigma))
        network = networks[(999 - step) / 1000 >= 0.7]
        text = network.text_encoders.build_encoder(1, "Original").encode_pooled(PROMPT)
        pooled = None if text.pooled is None else text.pooled[None]
        clean = network.denoise(x, torch.tensor([sigma]), text.crossattn[None], None, pooled)
        x = x + (x - clean) / sigma * (sigma_next - sigma)
    assert float((latent - x[0]).abs().max()) <= TOLERANCE


def test_a_repaint_that_begins_behind_the_point_is_the_refiners_alone(library, calls):
    latent = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(1))
    run(library, [paint(latent=latent, strength=0.2)])
    assert set(calls) == {"fine"}


def test_where_only_one_fits_both_come_to_their_end(make_library):
    library = make_library(budget=1)
    library.list_models()
    loads, real = [], library._loader.__class__.build_model

    def build(self, path, key, level):
        loads.append(key)
        return real(self, path, key, level)

    library._loader.__class__.build_model = build
    try:
        scheduler = Scheduler(4, aux_batch_limit(4, 1), library.loadable_together, 8)
        run(library, [paint(seed=seed) for seed in range(6)], scheduler)
    finally:
        library._loader.__class__.build_model = real
    assert set(loads) == {"base", "fine"}
    assert len(loads) <= 8  # not once a step


def job_end(library, job, images=None):
    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    operation = OPERATIONS[job.kind](job, images or {}, OperationContext(library))
    reports = engine.add_job("a", 1, operation)
    while not engine.is_idle:
        reports = engine.step()
    (end,) = [report for report in reports if isinstance(report, RunCompleted | RunFailed)]
    if isinstance(end, RunFailed):
        raise end.error
    return end.result


COMMON = {"prompt": "a cat", "seed": 1, "steps": 6, "model": "base", "width": 64, "height": 64}


@pytest.mark.parametrize("kind", [ImagineJob, Img2ImgJob])
def test_a_picture_tells_its_refiner_and_is_read_back(library, calls, kind):
    job = kind(**COMMON, refiner="fine", refiner_switch=0.6)
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images = {"image": Image.fromarray(pixels)} if kind is Img2ImgJob else None
    text = job_end(library, job, images).images[0].infotext

    assert f"Refiner: fine [{library.checkpoint_hash('fine')}], Refiner switch at: 0.6" in text
    again = job_from_info(parse_web_ui(text), library.list_models(), job_type=kind)
    assert (again.job, again.notes) == (job, ())
    assert set(calls) == {"base", "fine"}


def test_a_hires_fix_is_refined_in_its_second_pass(library, calls):
    job_end(library, ImagineJob(**COMMON, hires_scale=1.5, refiner="fine"))
    assert calls[:6] == ["base"] * 6
    assert set(calls[6:]) == {"base", "fine"}


def test_loras_are_said_to_act_on_the_first_alone(library):
    class Library:
        """The library, with LoRAs that are none."""

        def __getattr__(self, name):
            return getattr(library, name)

        def active_loras(self, name, loras):
            return None

        def list_prompt_notes(self, *_, **__):
            return []

    engine = Engine(Runner(Library(), {}), Scheduler(8, aux_batch_limit(8, 1)))

    def asking():
        yield WorkRequest(works=(paint(prompt="a cat <lora:ink:1>"),))
        return JobResult()

    reports = engine.add_job("a", 1, asking())
    while not engine.is_idle:
        reports = engine.step()
    notes = reports[-1].result.notes
    assert [note.code for note in notes] == ["prompt.refiner_loras"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "fine"}, "only goes on from another model's pictures"),
        ({"model": "one", "refiner": "fine"}, "fine cannot go on from one"),
        ({"refiner": "one"}, "one cannot go on from base"),
        ({"refiner": "finer"}, "no checkpoint “finer”"),
    ],
)
def test_what_cannot_go_on_is_refused_with_words(library, settings, words):
    job = ImagineJob(**COMMON | settings)
    with pytest.raises(Exception, match=words) as caught:
        job_end(library, job)
    assert isinstance(caught.value, JobError) or "finer" in words


def test_its_role_is_told(library):
    roles = {info.name: info.role for info in library.list_models()}
    assert (roles["base"], roles["fine"]) == ("", "refiner")
