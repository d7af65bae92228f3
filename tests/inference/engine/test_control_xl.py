"""ControlNets of SDXL, single ones and unions, held to diffusers' pipelines."""

from __future__ import annotations

import diffusers
import pytest
import torch

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.engine.work import ControlWork
from inference.model_library import ModelLibrary
from inference.sampling.noise import NoiseSource
from tests.inference.engine.control_nets import make_map, save_control
from tests.inference.engine.test_control import (
    ALONE_TOLERANCE,
    NEGATIVE,
    PROMPT,
    SEED,
    STEPS,
    TOLERANCE,
    paint,
    run,
    worst,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def library(tmp_path_factory, write_original, tiny_configs):
    shelf = tmp_path_factory.mktemp("models")
    parts = write_original(shelf / "xl.safetensors", "sdxl")
    save_control(shelf / "controlnet" / "xl-depth", parts.unet, 1)
    save_control(shelf / "controlnet" / "xl-union", parts.unet, 2, union=True)
    config = EngineConfig(model="xl", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    device = torch.device("cpu")
    return ModelLibrary(config, device, torch.float32, configs=tiny_configs)


def theirs(library, kind, network, image, **settings):
    ours = library.get_checkpoint("xl")
    scheduler = diffusers.EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,
    )
    pipeline = kind(
        vae=ours.vae,
        text_encoder=ours.text_encoders.models[0],
        text_encoder_2=ours.text_encoders.models[1],
        tokenizer=None,
        tokenizer_2=None,
        unet=ours.unet,
        controlnet=library.controls.get_network(network).module,
        scheduler=scheduler,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    encoder = ours.text_encoders.build_encoder(1, "Original")
    positive, negative = encoder.encode_pooled(PROMPT), encoder.encode_pooled(NEGATIVE)
    return pipeline(
        prompt_embeds=positive.crossattn[None],
        pooled_prompt_embeds=positive.pooled[None],
        negative_prompt_embeds=negative.crossattn[None],
        negative_pooled_prompt_embeds=negative.pooled[None],
        num_inference_steps=STEPS,
        guidance_scale=6.0,
        latents=NoiseSource(SEED, (4, 8, 8)).initial_noise()[None],
        output_type="latent",
        height=64,
        width=64,
        **image,
        **settings,
    ).images[0]


def hold(network, kind="", number=11, **more):
    return ControlWork(network=network, kind=kind, image=make_map(number), **more)


def test_imagine_equals_the_pipeline(library):
    (ours,) = run(library, [paint(hold("xl-depth", strength=0.7), model="xl")])
    reference = theirs(
        library,
        diffusers.StableDiffusionXLControlNetPipeline,
        "xl-depth",
        {"image": make_map(11)},
        controlnet_conditioning_scale=0.7,
    )
    assert worst(ours, reference) <= TOLERANCE


@pytest.mark.parametrize(
    ("kind", "number"), [("pose", 0), ("depth", 1), ("canny", 3), ("lineart", 3)]
)
def test_a_union_is_told_its_kind_of_map(library, kind, number):
    (ours,) = run(library, [paint(hold("xl-union", kind, strength=0.8), model="xl")])
    reference = theirs(
        library,
        diffusers.StableDiffusionXLControlNetUnionPipeline,
        "xl-union",
        {"control_image": [make_map(11)], "control_mode": [number]},
        controlnet_conditioning_scale=0.8,
    )
    assert worst(ours, reference) <= TOLERANCE


def test_rows_of_several_kinds_share_calls_and_are_as_alone(library):
    works = [
        paint(hold("xl-union", "pose"), model="xl"),
        paint(hold("xl-union", "depth", 12, end=0.5), model="xl", seed=4),
        paint(hold("xl-depth", "", 13, strength=0.5), model="xl", seed=5),
        paint(model="xl", seed=6),
    ]
    alone = [run(library, [work])[0] for work in works]

    for latent, reference in zip(run(library, works), alone, strict=True):
        assert worst(latent, reference) <= ALONE_TOLERANCE


def test_a_union_without_that_kind_says_which_it_has(library):
    (end,) = run(library, [paint(hold("xl-union", "tile"), model="xl")])
    assert isinstance(end, JobError)
    assert "canny" in str(end)
