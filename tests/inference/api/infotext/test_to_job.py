from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api.errors import JobError
from inference.api.infotext.readers import GenerationInfo, parse_web_ui
from inference.api.infotext.to_job import MAX_NOTES, job_from_info
from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob
from inference.api.messages import ModelInfo

MODELS = (
    ModelInfo(name="base15", kind="diffusion", size=512, digest="1a2b3c4d5e"),
    ModelInfo(name="other", kind="diffusion", size=512),
    ModelInfo(name="x4plus", kind="upscaler", size=4),
)


def recalled(text: str, job_type=ImagineJob, **given):
    told = parse_web_ui(text)
    assert told is not None
    return job_from_info(told, MODELS, given, job_type)


def test_a_web_uis_picture_as_a_job():
    found = recalled(
        "a fox\nNegative prompt: blur\nSteps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, "
        "Seed: 77, Size: 768x512, Model hash: 1a2b3c4d5e, Model: renamed, Clip skip: 2, "
        "Variation seed: 5, Variation seed strength: 0.2, Emphasis: No norm, RNG: CPU, "
        "Denoising strength: 0.45, Hires upscale: 2, Hires steps: 9, Hires upscaler: Latent"
    )
    expected = ImagineJob(
        prompt="a fox",
        negative_prompt="blur",
        steps=28,
        sampler="DPM++ 2M",
        schedule="Karras",
        guidance=6.5,
        seed=77,
        width=768,
        height=512,
        model="base15",
        clip_skip=2,
        variation_seed=5,
        variation_strength=0.2,
        emphasis="No norm",
        hires_scale=2.0,
        hires_steps=9,
        hires_strength=0.45,
    )
    assert (found.job, found.notes) == (expected, ())


def test_our_own_pictures_come_back_as_they_were(run_job):
    job = ImagineJob(prompt="a red apple", steps=2, seed=5, width=64, height=64, sampler="Heun")
    text = run_job(job).images[0].infotext
    again = job_from_info(parse_web_ui(text), (ModelInfo(name="tiny", kind="diffusion", size=64),))
    assert {**job.to_params(), "model": "tiny"} == again.job.to_params()
    assert again.notes == ()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("Sampler: DEIS", "There is no sampler DEIS here: Euler a is taken."),
        ("Schedule type: Turbo", "There is no schedule Turbo here."),
        (
            "Model: base16, Model hash: ffff000011",
            "Its checkpoint, base16 (ffff000011), is not here",
        ),
        ("Model: base16", "The nearest name here is base15."),
        ("Seed: 18446744073709551616", "another one is drawn"),
        ("Seed: unknown", "another one is drawn"),
        ("Steps: 500", "Its Steps is 500; 150 is the nearest possible here."),
        ("CFG scale: nan", "Its CFG scale, “nan”, is no number."),
        ("Denoising strength: 0.4", "It was made from another picture (strength 0.4)"),
        ("RNG: Dice", "There is no rng Dice here."),
        ("Tiling: True", "Tiling: True is left out."),
        ("VAE: mse.pt", "VAE: mse.pt is left out."),
        ("Hires upscale: 2, Hires upscaler: R-ESRGAN 4x+", "used the upscaler R-ESRGAN 4x+"),
        (
            "Hires upscale: 2, Hires upscaler: Latent (nearest)",
            "the upscaler Latent (nearest)",
        ),
        ("Hires upscale: 2, Hires checkpoint: other", "Hires checkpoint: other is left out."),
        ("Hires upscale: 2, Hires sampler: DEIS", "There is no sampler DEIS here"),
        ("Emphasis: Loud", "There is no emphasis Loud here."),
    ],
)
def test_what_is_not_the_same_is_named(more, words):
    text = "a fox\nSteps: 20, CFG scale: 7, Seed: 1, RNG: CPU, " + more
    assert any(words in str(note) for note in recalled(text).notes), recalled(text).notes


@pytest.mark.parametrize(
    ("told", "rng"), [("", "NV"), (", RNG: GPU", "NV"), (", RNG: NV", "NV"), (", RNG: CPU", "CPU")]
)
def test_noise_of_a_graphics_card_is_drawn_as_there(told, rng):
    found = recalled("a fox\nSteps: 20, CFG scale: 7, Seed: 1" + told)
    assert rng == found.job.rng
    assert found.notes == ()


def test_what_somebody_chose_goes_first_and_needs_no_word():
    text = "a fox\nSteps: 20, Sampler: DEIS, CFG scale: 7, Seed: 1, RNG: CPU"
    found = recalled(text, sampler="DDIM", prompt="a cat")
    assert (found.job.sampler, found.job.prompt, found.notes) == ("DDIM", "a cat", ())
    with pytest.raises(JobError):
        recalled(text, steps=0)


def test_a_repaint_keeps_its_strength():
    text = "a fox\nSteps: 20, CFG scale: 7, Seed: 1, RNG: CPU, Denoising strength: 0.4"
    found = recalled(text, Img2ImgJob)
    assert (found.job.strength, found.notes) == (0.4, ())


def test_the_hires_size_gives_the_scale():
    told = GenerationInfo(
        "ComfyUI", "", "", {"Size": "512x768", "Hires resize": "1024x1536", "RNG": "CPU"}
    )
    assert job_from_info(told, ()).job.hires_scale == 2.0


def test_many_differences_are_counted():
    values = {f"Key {number}": "1" for number in range(MAX_NOTES + 5)}
    notes = job_from_info(GenerationInfo("x", "", "", values), ()).notes
    assert len(notes) == MAX_NOTES + 1
    assert "more differences" in str(notes[-1])


KEYS = ["Steps", "CFG scale", "Seed", "Size", "Clip skip", "Sampler", "Model", "Hires upscale"]
WILD = st.text(max_size=30) | st.from_regex(
    r"-?\d{1,30}(\.\d+)?(e\d{1,3})?(x\d{1,6})?", fullmatch=True
)


@given(st.text(max_size=50), st.dictionaries(st.sampled_from(KEYS), WILD))
def test_any_values_make_a_possible_job(prompt, values):
    for job_type in (ImagineJob, Img2ImgJob):
        job_from_info(GenerationInfo("x", prompt, "", values), MODELS, {}, job_type)


@pytest.mark.parametrize("seed", [0, 4294967295, 1102676403634909, 2**53 + 1, 2**64 - 1])
def test_a_seed_of_64_bits_is_read_exactly(seed):
    found = recalled(f"a fox\nSteps: 20, CFG scale: 7, Seed: {seed}, RNG: CPU")
    assert (found.job.seed, found.notes) == (seed, ())


HIRES = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x768, RNG: CPU, "


@pytest.mark.parametrize(
    ("told", "options"),
    [
        ("Hires upscale: 2, Hires upscaler: Latent", {"hires_scale": 2.0}),
        ("Hires resize: 1024x1536, Hires upscaler: Latent", {"hires_scale": 2.0}),
        ("Hires resize: 1024x1024", {"hires_width": 1024, "hires_height": 1024}),
        ("Hires resize: 0x1536", {"hires_height": 1536}),
        ("Hires upscale: 1", {"hires_width": 512, "hires_height": 768}),
        ("Hires upscale: 2, Hires upscaler: Lanczos", {"hires_upscaler": "lanczos"}),
        ("Hires upscale: 2, Hires upscaler: Nearest", {"hires_upscaler": "nearest"}),
        ("Hires upscale: 2, Hires upscaler: None", {"hires_upscaler": "lanczos"}),
        ("Hires upscale: 2, Hires upscaler: R-ESRGAN 4x+", {"hires_upscaler": "realesrgan-x4plus"}),
        (
            "Hires upscale: 2, Hires upscaler: R-ESRGAN 4x+ Anime6B",
            {"hires_upscaler": "realesrgan-x4plus-anime"},
        ),
        ("Hires upscale: 2, Hires upscaler: ESRGAN_4x", {"hires_upscaler": "esrgan-x4"}),
        ("Hires upscale: 2, Hires upscaler: 4x_foolhardy_Remacri.pth", {"hires_upscaler": "own"}),
        ("Hires upscale: 2, Hires steps: 9", {"hires_steps": 9}),
        (
            "Hires upscale: 2, Hires sampler: DPM++ 2M Karras",
            {"hires_sampler": "DPM++ 2M", "hires_schedule": "Karras"},
        ),
        ('Hires upscale: 2, Hires prompt: "a cat, red"', {"hires_prompt": "a cat, red"}),
        ("Hires upscale: 2, Hires CFG Scale: 5.5", {"hires_guidance": 5.5}),
        ("Hires upscale: 2, Hires checkpoint: Use same checkpoint", {"hires_scale": 2.0}),
    ],
)
def test_hires_texts_of_the_web_uis(told, options):
    upscalers = ["realesrgan-x4plus", "realesrgan-x4plus-anime", "esrgan-x4"]
    upscalers.append("4x_foolhardy_Remacri")
    models = [ModelInfo(name=name, kind="upscaler", size=4) for name in upscalers]
    options = {
        name: "4x_foolhardy_Remacri" if value == "own" else value for name, value in options.items()
    }
    found = job_from_info(parse_web_ui("a fox\n" + HIRES + told), models)
    assert {name: getattr(found.job, name) for name in options} == options
    assert (found.job.steps, found.job.width, found.job.height) == (20, 512, 768)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("tool", "told", "is_exact"),
    [
        ("web UI", {}, False),
        ("web UI", {"Version": "v1.10.1"}, False),
        ("web UI", {"Version": "Easel 0.1.0"}, True),
        ("web UI", {"Version": "Easel 0.1.0", "Exact steps": "False"}, False),
        ("ComfyUI", {}, True),
        ("InvokeAI", {}, False),
    ],
)
def test_a_strength_runs_as_many_steps_as_there(tool, told, is_exact):
    values = {"Steps": "20", "Seed": "1", "Denoising strength": "0.5", "RNG": "CPU", **told}
    found = job_from_info(GenerationInfo(tool, "a", "", values), MODELS, {}, Img2ImgJob)
    assert (found.job.exact_steps, found.notes) == (is_exact, ())


def test_an_inpainting_of_the_web_ui_as_a_job():
    found = recalled(
        "a fox\nSteps: 20, CFG scale: 7, Seed: 1, Size: 512x512, RNG: CPU, Mask blur: 8, "
        "Denoising strength: 0.6, Inpaint area: Only masked, Masked area padding: 48, "
        "Masked content: latent noise, Mask mode: Inpaint not masked, Noise multiplier: 0.9, "
        "Conditional mask weight: 0.5, Soft inpainting enabled: True, Extra noise: 0.1, "
        "Soft inpainting schedule bias: 1, ENSD: 31337, Seed resize from: 256x384",
        InpaintJob,
    )
    expected = InpaintJob(
        prompt="a fox",
        seed=1,
        width=512,
        height=512,
        strength=0.6,
        exact_steps=False,
        mask_blur=8,
        area="only masked",
        padding=48,
        masked_content="latent noise",
        mask_mode="not masked",
        noise_multiplier=0.9,
        mask_weight=0.5,
        soft=True,
        extra_noise=0.1,
        seed_delta=31337,
        seed_resize_width=256,
        seed_resize_height=384,
    )
    assert (found.job, found.notes) == (expected, ())


@pytest.mark.parametrize(
    ("negative", "pad", "count"), [("", "", 1), ("", "Pad conds: True, ", 0), (", b" * 60, "", 0)]
)
def test_prompts_that_were_not_padded_are_told(negative, pad, count):
    text = "a" + ", b" * 60 + f"\nNegative prompt: a{negative}\nSteps: 20, {pad}CFG scale: 7, "
    notes = recalled(text + "Seed: 1, RNG: CPU").notes
    assert sum("not padded" in str(note) for note in notes) == count


def test_a_refiner_is_noted():
    text = "a fox\nSteps: 20, Size: 512x512, Seed: 1, Refiner: sdxl_refiner, Refiner switch at: 0.8"
    notes = [str(note) for note in recalled(text).notes]

    assert [any(word in note for note in notes) for word in ("sdxl_refiner", "0.8")] == [True, True]


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ("Sampler: DDIM", ["like.other_grid"]),
        ("Sampler: LCM, Schedule type: KL Optimal", ["like.other_grid"] * 2),
        ("Sampler: Euler a CFG++", []),
        ("Sampler: DPM++ SDE CFG++", ["like.no_sampler"]),
        ("Sampler: UniPC", []),
        ("Sampler: uni_pc_bh2", ["like.other_formula"]),
        ("Sampler: uni_pc", []),
        ("Sampler: Euler a, Schedule type: DDIM", []),
        ("Sampler: PLMS, Version: Easel 0.1.0", []),
    ],
)
def test_steps_that_lie_elsewhere_here_are_told(told, codes):
    notes = recalled(f"a fox\nSteps: 20, Seed: 1, {told}").notes
    assert [note.code for note in notes] == codes
