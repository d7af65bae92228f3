"""Our engine against diffusers' own pipelines: same folder, levels, words and noise, float32."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from inference.engine.work import DenoiseWork
from tests.inference.flow.flow_checkpoints import CHECKPOINTS

#: Largest difference of latents, whose size is about 4.
TOLERANCE = 1e-4
PROMPT, NEGATIVE = "a red apple on the white table", "blue sky"
SEED, SIDE = 41, 128
#: For each checkpoint: guidance of ours and the pipeline's settings that mean the same.
WORDS_CASES = {
    "z-image": (1.0, {"guidance_scale": 0.0}),
    "z-image guided": (4.0, {"guidance_scale": 3.0, "negative_prompt": NEGATIVE}),
    "flux-dev": (3.5, {"guidance_scale": 3.5}),
    "flux-schnell": (1.0, {}),
    "klein": (1.0, {"guidance_scale": 1.0}),
    "klein-base guided": (4.0, {"guidance_scale": 4.0}),
    "chroma": (3.0, {"guidance_scale": 3.0, "negative_prompt": NEGATIVE}),
    "qwen": (1.0, {"true_cfg_scale": 1.0}),
    "qwen guided": (4.0, {"true_cfg_scale": 4.0, "negative_prompt": NEGATIVE}),
    "sd3": (1.0, {"guidance_scale": 1.0}),
    "sd3 guided": (4.0, {"guidance_scale": 4.0, "negative_prompt": NEGATIVE}),
}
#: Pipelines of edits, with what makes them run without guidance of their own.
EDIT_CLASSES = {
    "z-image": (diffusers.ZImageImg2ImgPipeline, diffusers.ZImageInpaintPipeline, 1.0, 0.0),
    "flux-dev": (diffusers.FluxImg2ImgPipeline, diffusers.FluxInpaintPipeline, 3.5, 3.5),
    # Its inpainting pipeline reads a setting that its transformer's class has not.
    "chroma": (diffusers.ChromaImg2ImgPipeline, None, 1.0, 1.0),
    "qwen": (diffusers.QwenImageImg2ImgPipeline, diffusers.QwenImageInpaintPipeline, 1.0, None),
    "sd3": (
        diffusers.StableDiffusion3Img2ImgPipeline,
        diffusers.StableDiffusion3InpaintPipeline,
        1.0,
        1.0,
    ),
}
#: Strength of an edit, the steps of ours, and those of the whole schedule.
STRENGTHS = {0.25: (2, 8), 0.5: (4, 8), 0.75: (6, 8)}


def make_work(name, **settings):
    values = {
        "model": name,
        "width": SIDE,
        "height": SIDE // 2,
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "steps": 4,
        "guidance": 1.0,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": SEED,
    }
    return DenoiseWork(**values | settings)


def make_noise(channels=16, seed=SEED):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, SIDE // 16, SIDE // 8, generator=generator)[None]


def in_cells(latents, name):
    """Give a pipeline's latents as cells: FLUX.1's come in patches."""
    if latents.ndim == 4:
        return latents[0]
    return diffusers.FluxPipeline._unpack_latents(latents, SIDE // 2, SIDE, 8)[0]


def from_cells(latents, name):
    if name.startswith("klein"):
        return diffusers.Flux2KleinPipeline._patchify_latents(latents)
    if not name.startswith(("flux", "kontext", "chroma", "qwen")):
        return latents
    return diffusers.FluxPipeline._pack_latents(latents, 1, *latents.shape[1:])


def largest_difference(mine, reference):
    assert mine.shape == reference.shape
    assert reference.std() > 0.3, "a network that answers nothing would agree with anything"
    return float((mine - reference).abs().max())


@pytest.mark.parametrize("case", WORDS_CASES)
def test_words_equal_the_pipeline(case, denoise_rows, load_pipeline, flow_library):
    guidance, settings = WORDS_CASES[case]
    name = case.split()[0]
    negative = settings.get("negative_prompt", "")
    (mine,) = denoise_rows(make_work(name, guidance=guidance, negative_prompt=negative))
    if name.startswith("klein"):  # whose pipeline gives the autoencoder's latents
        mine = flow_library.get_checkpoint(name).unscale_latents(mine[None])[0]
    reference = load_pipeline(name)(
        prompt=PROMPT,
        width=SIDE,
        height=SIDE // 2,
        num_inference_steps=4,
        latents=from_cells(make_noise(), name),
        output_type="latent",
        **settings,
    ).images
    assert largest_difference(mine, in_cells(reference, name)) <= TOLERANCE


@pytest.fixture
def source():
    values = np.random.default_rng(7).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((SIDE, SIDE // 2), Image.Resampling.BICUBIC)


@pytest.fixture
def posterior_means(monkeypatch):
    """Have pipelines start from the posterior's mean, as Easel does, not from a draw of it."""
    distribution = diffusers.models.autoencoders.vae.DiagonalGaussianDistribution
    monkeypatch.setattr(distribution, "sample", lambda self, generator=None: self.mean)


def edit_by_pipeline(pipeline, name, source, strength, steps, guidance, **settings):
    latents = pipeline(
        PROMPT,
        image=source,
        strength=strength,
        width=SIDE,
        height=SIDE // 2,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
        **settings,
    ).images
    return in_cells(latents, name)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("name", EDIT_CLASSES)
@pytest.mark.usefixtures("posterior_means")
def test_img2img_equals_the_pipeline(name, strength, denoise_rows, load_pipeline, source):
    pipeline_class, _, guidance, their_guidance = EDIT_CLASSES[name]
    steps, length = STRENGTHS[strength]
    (mine,) = denoise_rows(
        make_work(name, guidance=guidance, image=source, strength=strength, steps=steps)
    )
    reference = edit_by_pipeline(
        load_pipeline(name, pipeline_class), name, source, strength, length, their_guidance
    )
    assert largest_difference(mine, reference) <= TOLERANCE


@pytest.mark.parametrize("name", [name for name, case in EDIT_CLASSES.items() if case[1]])
@pytest.mark.usefixtures("posterior_means")
def test_inpaint_equals_the_pipeline(name, denoise_rows, load_pipeline, source):
    _, pipeline_class, guidance, their_guidance = EDIT_CLASSES[name]
    mask = np.zeros((SIDE // 16, SIDE // 8), dtype=np.float32)
    mask[2:6, 4:12] = 1
    steps, length = STRENGTHS[0.75]
    settings = {"strength": 0.75, "steps": steps, "image": source, "mask": mask}
    (mine,) = denoise_rows(make_work(name, guidance=guidance, **settings))
    picture_mask = Image.fromarray((mask * 255).astype(np.uint8)).resize(source.size, 0)
    reference = edit_by_pipeline(
        load_pipeline(name, pipeline_class),
        name,
        source,
        0.75,
        length,
        their_guidance,
        mask_image=picture_mask,
    )
    assert largest_difference(mine, reference) <= TOLERANCE


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_rows_in_one_batch_equal_rows_alone(name, denoise_rows, source):
    """Steps, seeds, strengths, samplers, texts and guidance differ; calls are shared."""
    guided = name in ("z-image", "klein-base", "chroma", "sd3") or name.startswith("qwen")
    works = [
        make_work(name, seed=1, steps=3, guidance=2.0),
        make_work(name, seed=2, steps=7, guidance=5.0, prompt="a cat"),
        make_work(name, seed=3, image=source, strength=0.6, guidance=3.0, sampler="Heun"),
        make_work(name, seed=4, sampler="DPM++ 2M", guidance=4.0, prompt="[red:green:0.5] apple"),
        make_work(name, seed=5, prompt=" ".join(["red apple and green cat"] * 9), guidance=2.0),
        make_work(name, seed=6, prompt="a cat AND the sky" if guided else "a cat and the sky"),
    ]
    together = denoise_rows(*works)
    for work, mine in zip(works, together, strict=True):
        (alone,) = denoise_rows(work)
        assert float((mine - alone).abs().max()) <= 1e-3


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_unlike_rows_share_calls(name, denoise_rows, flow_library, monkeypatch):
    model = flow_library.get_checkpoint(name)
    rows = []
    real_forward = model.network.forward

    def count_rows(*arguments, **named):
        first = arguments[0] if arguments else named["hidden_states"]
        rows.append(len(first))
        return real_forward(*arguments, **named)

    monkeypatch.setattr(model.network, "forward", count_rows)
    denoise_rows(
        *(
            make_work(name, seed=number, steps=3 + number, prompt=f"a cat {'and ' * number}")
            for number in range(4)
        )
    )
    assert rows[:3] == [4, 4, 4]
    assert sum(rows) == 3 + 4 + 5 + 6
