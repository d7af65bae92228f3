import numpy as np
import pytest
import torch

from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.text import parse_infotext
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob
from inference.api.messages import ModelInfo
from inference.prompts import timeline

SETTINGS = {"seed": 3, "steps": 2, "width": 64, "height": 64, "sampler": "Euler"}


@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
def test_the_hires_fix_enlarges_and_denoises_again(run_job, upscaler):
    plain = run_job(ImagineJob(**SETTINGS)).images[0]
    steps = []
    hires = {"hires_scale": 2.0, "hires_steps": 3, "hires_upscaler": upscaler}
    outcome = run_job(ImagineJob(**SETTINGS, **hires), progress=steps)
    (made,) = outcome.images
    assert made.image.size == (128, 128)
    assert steps[-1] == (5, 5)
    enlarged = np.asarray(plain.image.resize((128, 128)), dtype=int)
    assert np.abs(enlarged - np.asarray(made.image, dtype=int)).max() > 0


def test_a_hires_fix_is_written_as_the_first_pass_and_read_back_equal(run_job):
    job = ImagineJob(
        prompt="a red apple",
        **SETTINGS | {"steps": 4},
        model="tiny",
        hires_scale=2.0,
        hires_steps=2,
        hires_strength=0.6,
        hires_upscaler="lanczos",
        hires_sampler="Heun",
        hires_schedule="Karras",
        hires_guidance=3.0,
        hires_prompt="a red cat",
        hires_negative_prompt="sky",
    )
    text = run_job(job).images[0].infotext
    values = parse_infotext(text).values
    expected = {
        "Steps": "4",
        "Sampler": "Euler",
        "Size": "64x64",
        "CFG scale": "7",
        "Denoising strength": "0.6",
        "Hires upscale": "2",
        "Hires steps": "2",
        "Hires upscaler": "lanczos",
        "Hires sampler": "Heun",
        "Hires schedule type": "Karras",
        "Hires CFG Scale": "3",
        "Hires prompt": "a red cat",
        "Hires negative prompt": "sky",
    }
    assert {key: values.get(key) for key in expected} == expected
    again = job_from_info(parse_web_ui(text), [ModelInfo(name="tiny", kind="diffusion", size=64)])
    assert (again.job, again.notes) == (job, ())


@pytest.mark.parametrize(
    ("hires", "size"),
    [
        ({"hires_scale": 1.99}, (120, 120)),
        ({"hires_scale": 1.2}, (72, 72)),
        ({"hires_width": 128}, (128, 128)),
        ({"hires_height": 100}, (96, 96)),
        ({"hires_width": 128, "hires_height": 96}, (128, 96)),
        ({"hires_width": 64, "hires_height": 64}, (64, 64)),
    ],
)
@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
def test_hires_sizes_are_cut_down_to_whole_cells(run_job, hires, size, upscaler):
    job = ImagineJob(**SETTINGS, hires_steps=1, hires_upscaler=upscaler, **hires)
    assert run_job(job).images[0].image.size == size


def test_a_prompt_schedule_counts_on_in_the_second_pass(run_job, monkeypatch):
    calls = []
    encode = timeline.encode_schedule

    def watch(encoder, text, steps, *, base_steps=None):
        schedule = encode(encoder, text, steps, base_steps=base_steps)
        calls.append((steps, base_steps, [end for end, _ in schedule]))
        return schedule

    monkeypatch.setattr(timeline, "encode_schedule", watch)
    run_job(
        ImagineJob(prompt="[red:cat:5]", **SETTINGS | {"steps": 4}, hires_scale=2.0, hires_steps=3)
    )
    assert [base_steps for _, base_steps, _ in calls] == [None, 4]
    assert len(calls[0][2]) == 1
    assert len(calls[1][2]) == 2


@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_hires_fix_of_strength_0_is_what_was_enlarged(run_job, upscaler, batch):
    job = ImagineJob(
        **SETTINGS, hires_scale=2.0, hires_strength=0.0, hires_upscaler=upscaler, batch=batch
    )
    images = run_job(job).images
    assert [made.image.size for made in images] == [(128, 128)] * batch
    plain = run_job(ImagineJob(**SETTINGS)).images[0].image
    distance = np.asarray(plain.resize((128, 128)), int) - np.asarray(images[0].image, int)
    assert np.abs(distance).mean() < 40


def test_a_latent_upscale_of_strength_0_is_the_enlarged_latent(run_job, square):
    job = Img2ImgJob(
        strength=0.0, width=128, height=128, resize_mode="latent upscale", seed=1, steps=2
    )
    assert run_job(job, {"image": square}).images[0].image.size == (128, 128)


def test_an_inpainting_of_strength_0_is_its_source(run_job, square, box_mask):
    mask = box_mask(square.size, (16, 16, 48, 48))
    (made,) = run_job(InpaintJob(strength=0.0, seed=1), {"image": square, "mask": mask}).images
    assert np.abs(np.asarray(square, int) - np.asarray(made.image, int)).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"seed_delta": 31337, "sampler": "Euler a"},
        {"seed_resize_width": 128, "seed_resize_height": 96},
        {"guidance_rescale": 0.7},
        {"extra_noise": 0.3, "hires_scale": 2.0},
    ],
)
def test_every_power_over_noise_and_guidance_changes_the_picture(run_job, options):
    plain = {name: value for name, value in options.items() if name in ("sampler", "hires_scale")}
    changed = run_job(ImagineJob(prompt="a cat", **SETTINGS | options)).images[0].image
    unchanged = run_job(ImagineJob(prompt="a cat", **SETTINGS | plain)).images[0].image
    assert not torch.equal(
        torch.from_numpy(np.array(changed)), torch.from_numpy(np.array(unchanged))
    )
