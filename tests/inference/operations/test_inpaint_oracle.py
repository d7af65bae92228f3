"""Inpainting against diffusers' own pipeline: same weights, seed and noise levels, float32.

Where the two may be compared:

* The pipeline's strength is a share of its steps; the engine's exact form runs as many steps from
  the end of a longer schedule. 6 steps at 0.75 here are 8 steps at 0.75 there.
* The pipeline draws the autoencoder's posterior, the engine takes its mean: the mean is given.
* At strength 1 the pipeline starts from noise alone, the engine from the picture under it, as the
  web user interfaces do; so strengths below 1 are compared.
* With nine channels the pipeline lets the network repaint everything and never blends; the engine
  blends there too. They are compared without a blend mask, and with one that covers everything.
"""

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionInpaintPipeline
from PIL import Image

from inference.api.jobs import InpaintJob
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.operations.mask.masked_start import prepare_masked_start

#: The pipeline's scheduler hands a tensor to numpy in a way that newer numpys frown upon.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, STRENGTH, THEIRS = 6, 0.75, 8
PROMPT, NEGATIVE, GUIDANCE = "a red apple on white background", "sky", 4.0
BOX = (16, 8, 48, 40)


@pytest.fixture(scope="module")
def pipeline(tiny_library):
    """Run diffusers' pipeline over a tiny checkpoint; gives the final latent [C, h, w]."""

    def run(name, picture, mask):
        model = tiny_library.get_checkpoint(name)
        scheduler = EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            num_train_timesteps=1000,
            timestep_spacing="linspace",
            steps_offset=1,
        )
        pipe = StableDiffusionInpaintPipeline(
            vae=model.vae,
            text_encoder=None,
            tokenizer=None,
            unet=model.unet,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipe.set_progress_bar_config(disable=True)
        pipe._encode_vae_image = lambda image, generator: (
            model.vae.encode(image).latent_dist.mean * model.vae.config.scaling_factor
        )
        encoder = model.text_encoders.build_encoder(1, "Original")
        return pipe(
            prompt_embeds=encoder.encode_pooled(PROMPT).crossattn[None],
            negative_prompt_embeds=encoder.encode_pooled(NEGATIVE).crossattn[None],
            image=picture,
            mask_image=mask,
            width=picture.width,
            height=picture.height,
            strength=STRENGTH,
            num_inference_steps=THEIRS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(11),
            output_type="latent",
        ).images[0]

    return run


@pytest.fixture(scope="module")
def pixels(tiny_library):
    """Decode a latent to [3, H, W] without rounding to 8 bits."""

    def decode(latent):
        model = tiny_library.get_checkpoint("tiny")
        with torch.inference_mode():
            return model.vae.decode(latent[None] / model.vae.config.scaling_factor).sample[0]

    return decode


def work(model, image, **more):
    return DenoiseWork(
        model=model,
        width=image.width,
        height=image.height,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        steps=STEPS,
        guidance=GUIDANCE,
        sampler="Euler",
        schedule="Uniform",
        seed=11,
        strength=STRENGTH,
        image=image,
        **more,
    )


@pytest.fixture(scope="module")
def engine_latent(run_operation):
    """Run one work through the engine; gives its final latent [C, h, w]."""

    def run(asked):
        kept = []

        def operation():
            kept.extend((yield WorkRequest(works=(asked,))))
            return JobResult()

        run_operation(operation())
        return kept[0].latent

    return run


def furthest(ours, theirs, box=None):
    """The largest difference as a share of the range, inside a box of pixels."""
    left, upper, right, lower = box or (0, 0, ours.shape[-1], ours.shape[-2])
    apart = (ours - theirs)[:, upper:lower, left:right].abs().max()
    return (apart / (theirs.max() - theirs.min())).item()


def ground_fields(ground):
    return {"mask": ground.latent_mask, "full_mask": ground.mask}


def test_four_channels(pipeline, pixels, engine_latent, square, box_mask):
    mask = box_mask(square.size, BOX)
    ground = prepare_masked_start(square, mask, "original")
    ours = pixels(engine_latent(work("tiny", square, **ground_fields(ground))))
    theirs = pixels(pipeline("tiny", square, mask))
    assert furthest(ours, theirs, BOX) <= 2e-3
    assert furthest(ours, theirs) <= 2e-3


def test_the_comparison_would_notice_another_seed(pixels, engine_latent, pipeline, square):
    whole = Image.new("L", square.size, 255)
    ground = prepare_masked_start(square, whole, "original")
    fields = ground_fields(ground)
    ours = pixels(engine_latent(work("tiny", square, **fields)))
    theirs = pixels(pipeline("tiny", square, Image.new("L", square.size, 0)))
    assert furthest(ours, theirs) > 2e-2


def test_nine_channels_see_mask_and_masked_picture(
    pipeline, pixels, engine_latent, square, box_mask
):
    mask = box_mask(square.size, BOX)
    ours = pixels(engine_latent(work("tiny-inpaint", square, full_mask=mask)))
    theirs = pixels(pipeline("tiny-inpaint", square, mask))
    assert furthest(ours, theirs, BOX) <= 2e-3
    assert furthest(ours, theirs) <= 2e-3


@pytest.mark.parametrize("model", ["tiny", "tiny-inpaint"])
def test_the_whole_operation_gives_the_pipelines_picture(
    run_job, pipeline, tiny_library, square, model
):
    job = InpaintJob(
        model=model,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        steps=STEPS,
        strength=STRENGTH,
        guidance=GUIDANCE,
        sampler="Euler",
        schedule="Uniform",
        seed=11,
        mask_blur=0,
    )
    whole = Image.new("L", square.size, 255)
    ours = run_job(job, {"image": square, "mask": whole}).images[0].image
    (theirs,) = tiny_library.get_checkpoint(model).decode_latents(
        pipeline(model, square, whole)[None]
    )
    assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).max() <= 1
