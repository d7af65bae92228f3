"""ControlNets of rows that share calls, held to diffusers' own pipelines."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.diffusion.control.network import ControlNetwork
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import ControlWork, DenoiseWork, JobResult, WorkRequest
from inference.model_files.errors import UnknownModel
from inference.model_library import ModelLibrary
from inference.sampling.noise import NoiseSource
from tests.inference.conftest import save_checkpoint
from tests.inference.engine.control_nets import make_map, save_control

TOLERANCE = 1e-4  # of a latent's numbers, which are about 1
ALONE_TOLERANCE = 1e-3
SEED, STEPS = 3, 10
PROMPT, NEGATIVE = "red apple", "cat"
NETWORKS = {"control-canny": 1, "control-depth": 2}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    shelf = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(8)
        save_checkpoint(shelf / "plain", 4)
        save_checkpoint(shelf / "hole", 9)
    unet = UNet2DConditionModel.from_pretrained(shelf / "plain" / "unet")
    for name, seed in NETWORKS.items():
        save_control(shelf / "controlnet" / name, unet, seed)
    return shelf


@pytest.fixture(scope="module")
def library(shelf):
    config = EngineConfig(model="plain", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def source():
    return make_map(7)


@pytest.fixture(scope="module")
def hole():
    mask = np.zeros((8, 8), dtype=np.float32)
    mask[2:6, 2:7] = 1
    return mask


def hold(number=11, network="control-canny", **more):
    return ControlWork(network=network, image=make_map(number), **more)


def paint(*controls, **more):
    settings = {
        "model": "plain",
        "width": 64,
        "height": 64,
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "steps": STEPS,
        "guidance": 6.0,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": SEED,
        "decode": False,
        "controls": controls,
    }
    return DenoiseWork(**settings | more)


def run(library, works, max_entries=0):
    def asking(work):
        (result,) = yield WorkRequest(works=(work,))
        return JobResult(text=result.latent)

    scheduler = Scheduler(8, aux_batch_limit(8, 1), max_entries=max_entries)
    engine = Engine(Runner(library, {}), scheduler)
    ends, reports = {}, []
    for number, work in enumerate(works):
        reports += engine.add_job(str(number), 1, asking(work))
    while not engine.is_idle:
        for report in engine.step():
            if isinstance(report, RunCompleted):
                ends[report.run.job_id] = report.result.text
            elif isinstance(report, RunFailed):
                ends[report.run.job_id] = report.error
    return [ends[str(number)] for number in range(len(works))]


def theirs(kind, library, *, sampler="Euler", model="plain", control=None, **settings):
    """Run diffusers' pipeline over our loaded networks."""
    ours = library.get_checkpoint(model)
    scheduler = {
        "Euler": lambda noise: diffusers.EulerDiscreteScheduler(
            **noise, timestep_spacing="linspace", steps_offset=1
        ),
        "DDIM": lambda noise: diffusers.DDIMScheduler(
            **noise,
            timestep_spacing="leading",
            steps_offset=1,
            clip_sample=False,
            set_alpha_to_one=False,
        ),
    }[sampler](
        {
            "num_train_timesteps": 1000,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
        }
    )
    networks = [library.controls.get_network(name).module for name in control or ["control-canny"]]
    pipeline = kind(
        vae=ours.vae,
        text_encoder=ours.text_encoders.models[0],
        tokenizer=None,
        unet=ours.unet,
        controlnet=networks[0] if len(networks) == 1 else networks,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    encoder = ours.text_encoders.build_encoder(1, "Original")
    return pipeline(
        prompt_embeds=encoder.encode_pooled(PROMPT).crossattn[None],
        negative_prompt_embeds=encoder.encode_pooled(NEGATIVE).crossattn[None],
        guidance_scale=6.0,
        output_type="latent",
        **{"controlnet_conditioning_scale": 1.0} | settings,
    ).images[0]


def first_noise():
    return NoiseSource(SEED, (4, 8, 8)).initial_noise()[None]


def worst(latent, reference):
    return float((latent - reference).abs().max())


pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

#: Their end is that of the last step's share, ours of its beginning.
WINDOWS = {"all": ((0.0, 1.0), (0.0, 1.0)), "part": ((0.2, 0.55), (0.2, 0.6))}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_imagine_equals_the_pipeline(library, window, strength):
    (begin, end), (start, stop) = WINDOWS[window]
    (ours,) = run(library, [paint(hold(strength=strength, begin=begin, end=end))])
    (free,) = run(library, [paint()])

    reference = theirs(
        diffusers.StableDiffusionControlNetPipeline,
        library,
        image=make_map(11),
        num_inference_steps=STEPS,
        latents=first_noise(),
        controlnet_conditioning_scale=strength,
        control_guidance_start=start,
        control_guidance_end=stop,
    )

    assert worst(ours, reference) <= TOLERANCE
    assert worst(ours, free) > 0.05  # the network answers


def test_two_networks_add_up(library):
    (ours,) = run(library, [paint(hold(), hold(12, "control-depth", strength=0.5))])

    reference = theirs(
        diffusers.StableDiffusionControlNetPipeline,
        library,
        control=["control-canny", "control-depth"],
        image=[make_map(11), make_map(12)],
        num_inference_steps=STEPS,
        latents=first_noise(),
        controlnet_conditioning_scale=[1.0, 0.5],
    )

    assert worst(ours, reference) <= TOLERANCE


def test_img2img_equals_the_pipeline(library, source):
    settings = {"sampler": "DDIM", "image": source, "strength": 0.75, "steps": 15}
    (ours,) = run(library, [paint(hold(), **settings)])

    reference = theirs(
        diffusers.StableDiffusionControlNetImg2ImgPipeline,
        library,
        sampler="DDIM",
        image=library.get_checkpoint("plain").encode_images([source]),
        control_image=make_map(11),
        strength=0.75,
        num_inference_steps=20,
        generator=torch.Generator().manual_seed(SEED),
    )

    assert worst(ours, reference) <= TOLERANCE


@pytest.mark.parametrize("model", ["plain", "hole"])
def test_inpaint_equals_the_pipeline(library, source, hole, model, monkeypatch):
    # Theirs draws from the encoded picture's distribution, ours takes its mean.
    distribution = "diffusers.models.autoencoders.vae.DiagonalGaussianDistribution"
    monkeypatch.setattr(f"{distribution}.sample", lambda self, generator=None: self.mean)
    if model == "hole":  # theirs keeps nothing of the picture for such a network, ours always does
        hole = np.ones_like(hole)
    full = Image.fromarray((hole * 255).astype(np.uint8)).resize((64, 64), Image.Resampling.NEAREST)
    settings = {"sampler": "DDIM", "image": source, "strength": 0.75, "steps": 15, "model": model}
    (ours,) = run(library, [paint(hold(), mask=hole, full_mask=full, **settings)])

    reference = theirs(
        diffusers.StableDiffusionControlNetInpaintPipeline,
        library,
        sampler="DDIM",
        model=model,
        image=source,
        mask_image=full,
        control_image=make_map(11),
        strength=0.75,
        num_inference_steps=20,
        generator=torch.Generator().manual_seed(SEED),
    )

    changed = torch.from_numpy(hole)[None] > 0
    assert worst(ours * changed, reference * changed) <= TOLERANCE


def test_rows_of_all_kinds_share_calls_and_are_as_alone(library, source, monkeypatch):
    works = [
        paint(hold()),
        paint(hold(13, strength=0.4), seed=5, prompt="a cat"),
        paint(seed=6),
        paint(hold(14, "control-depth", begin=0.3, end=0.7), seed=7),
        paint(hold(15), hold(16, "control-depth", strength=1.5), seed=8, guidance=1.5),
        paint(hold(17, end=0.0), seed=9),
    ]
    alone = [run(library, [work])[0] for work in works]
    calls, real = [], ControlNetwork.predict_residuals

    def count(self, call, pixels, kind):
        calls.append((self.name, len(pixels)))
        return real(self, call, pixels, kind)

    monkeypatch.setattr(ControlNetwork, "predict_residuals", count)
    together = run(library, works)

    for latent, reference in zip(together, alone, strict=True):
        assert worst(latent, reference) <= ALONE_TOLERANCE
    # Both halves of each row that it holds, and no other's: the last is held in the first step.
    assert calls[0] == ("control-canny", 8)
    assert ("control-canny", 6) in calls
    assert {size for name, size in calls if name == "control-depth"} == {2, 4}


@pytest.mark.parametrize("max_entries", [1, 2, 3])
def test_entries_that_go_through_apart_come_to_the_same(library, max_entries):
    works = [paint(hold()), paint(seed=6), paint(hold(13, "control-depth"), seed=5)]
    whole, split = run(library, works), run(library, works, max_entries)

    for latent, reference in zip(split, whole, strict=True):
        assert worst(latent, reference) <= ALONE_TOLERANCE


def test_no_strength_is_no_control_bit_for_bit(library):
    held, free = run(library, [paint(hold(strength=0.0))]), run(library, [paint()])
    assert torch.equal(held[0], free[0])


def test_outside_its_window_a_network_changes_no_bit(library):
    beside = paint(hold(strength=2.0), seed=5)
    held, _ = run(library, [paint(hold(begin=0.95, end=1.0)), beside])
    free, _ = run(library, [paint(), beside])
    assert torch.equal(held, free)


def test_what_is_not_here_or_does_not_fit_fails_that_job_alone(library, shelf):
    narrow = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    save_control(shelf / "controlnet" / "narrow", narrow, 4)

    unknown, foreign, good = run(
        library,
        [
            paint(hold(network="control-cany")),
            paint(hold(network="narrow")),
            paint(hold()),
        ],
    )

    assert isinstance(unknown, UnknownModel)
    assert "control-canny" in str(unknown)
    assert isinstance(foreign, JobError)
    assert foreign.field == "control"
    assert isinstance(good, torch.Tensor)


def test_a_network_counts_as_memory_and_leaves_its_checkpoint_in_place(shelf):
    config = EngineConfig(
        model="plain",
        models_dir=str(shelf),
        cache_dir=str(shelf / "cache"),
        weights_budget=1,  # byte: nothing fits beside anything
    )
    tight = ModelLibrary(config, torch.device("cpu"), torch.float32)

    run(tight, [paint(hold())])

    assert tight.model_cache.loads == 2
    network = tight.controls.get_network("control-canny")
    held = tight.get_checkpoint("plain")
    assert tight.model_cache.loads == 2
    assert tight.model_cache.held_bytes > network.count_bytes() > 0
    assert held.name == "plain"
