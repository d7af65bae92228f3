from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from inference.api.jobs import (
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
    estimate_cost,
)
from inference.api.jobs.names import ADAPTIVE_CALLS, OUTPAINT_PRESETS, SAMPLER_NAMES
from inference.api.jobs.price import (
    CHUNK_TOKENS,
    TEXT_CHUNK_TFLOP,
    DenoisePass,
    UpscalerSize,
    _count_tokens,
    list_denoise_passes,
    measure_prompts,
)
from inference.diffusion.model import DiffusionModel
from inference.diffusion.single_file import CONFIGS_DIR
from inference.engine.work import DenoiseResult, DenoiseWork
from inference.images.errors import ImageError
from inference.operations.outpaint.operation import run_outpaint
from inference.prompts.tokenizer import load_tokenizer
from inference.upscaling.tiling.plan import (
    Resampler,
    ScaleBy,
    UpscalePlan,
    pass_sizes,
    scaled_size,
)
from tests.inference.api.jobs.strategies import jobs

NO_WORDS = dataclasses.replace(measure_prompts("", ""), texts=())


@given(jobs())
def test_every_job_costs_something(job):
    assert 0 < estimate_cost(job) < math.inf


STEPPED = [
    Img2ImgJob(),
    InpaintJob(),
    LoopbackJob(),
    OutpaintJob(left=64),
    UpscaleJob(mode="redraw"),
]


@pytest.mark.parametrize("job", STEPPED, ids=lambda job: job.kind)
@given(fewer=st.integers(1, 149), more=st.integers(1, 149))
def test_more_steps_cost_more(job, fewer, more):
    few = dataclasses.replace(job, steps=fewer)
    many = dataclasses.replace(job, steps=min(150, fewer + more))

    assert estimate_cost(few) < estimate_cost(many)


@given(*[st.integers(8, 128).map(lambda cells: 8 * cells)] * 2)
def test_a_picture_costs_at_least_as_many_pixels_as_it_has(width, height):
    small = Img2ImgJob(width=width, height=height)
    large = Img2ImgJob(width=2 * width, height=height)

    # The words are read once, whatever the size.
    assert estimate_cost(large) > 1.95 * estimate_cost(small)


def test_a_batch_costs_its_pictures():
    assert estimate_cost(Img2ImgJob(batch=4)) == pytest.approx(4 * estimate_cost(Img2ImgJob()))


def test_a_loop_costs_its_turns():
    steady = LoopbackJob(loops=6, final_strength=0.75)
    assert estimate_cost(steady) == pytest.approx(6 * estimate_cost(Img2ImgJob()))


def test_guidance_of_one_asks_the_network_once_a_step():
    saved = estimate_cost(Img2ImgJob(steps=20)) - estimate_cost(Img2ImgJob(steps=20, guidance=1.0))

    assert saved == pytest.approx(20 * DenoisePass((512, 512), 1, False, False).price(NO_WORDS))


def test_words_alone_cost_next_to_nothing():
    assert estimate_cost(ExplainJob()) < estimate_cost(Img2ImgJob(steps=1)) / 100


LORAS = "<lora:a:1> <lora:b:0.5>"
#: What makes a picture dear, from little to much.
DEARER = {
    "width": (64, 512, 1024, 2048),
    "height": (64, 512, 1024, 2048),
    "steps": (1, 20, 150),
    "guidance": (1.0, 1.5),
    "batch": (1, 2, 8),
    "sampler": ("Euler", "Heun"),
    "prompt": ("", "a AND b", "a AND b AND c", "a AND b AND c " + LORAS),
    "negative_prompt": ("", "word " * 76, "word BREAK " * 100),
    "hires_scale": (1.0, 1.5, 4.0),
    "hires_steps": (1, 20, 150),
    "loops": (1, 2, 32),
    "strength": (0.1, 0.5, 1.0),
}


#: A second call in a single step; guidance of several parts; steps without a second pass, or with
#: no whole step more.
MAY_ADD_NOTHING = {"sampler", "guidance", "hires_steps", "strength"}


@given(st.data(), st.sampled_from([ImagineJob, Img2ImgJob, LoopbackJob]))
def test_the_price_grows_with_each_thing_that_makes_a_picture_dear(data, kind):
    fields = {field.name for field in dataclasses.fields(kind)} & DEARER.keys()
    values = {name: data.draw(st.sampled_from(DEARER[name]), name) for name in sorted(fields)}
    job = kind(**values, exact_steps=False) if "strength" in values else kind(**values)
    for name in sorted(fields):
        for value in DEARER[name][DEARER[name].index(values[name]) + 1 :]:
            dearer = dataclasses.replace(job, **{name: value})
            assert estimate_cost(dearer) >= estimate_cost(job), name
            if name not in MAY_ADD_NOTHING:
                assert estimate_cost(dearer) > estimate_cost(job), name


def test_each_text_of_a_schedule_is_read_once():
    plain, changing, often = (
        estimate_cost(Img2ImgJob(prompt=prompt)) for prompt in ("cat", "[cat:dog:0.5]", "[a|b|c|d]")
    )
    assert changing - plain == pytest.approx(TEXT_CHUNK_TFLOP)
    assert often - plain == pytest.approx(3 * TEXT_CHUNK_TFLOP)
    endless = estimate_cost(Img2ImgJob(prompt="[a|b]" * 1000, steps=20))
    assert endless < estimate_cost(Img2ImgJob(prompt="[a|b]" * 1000, steps=150))


def test_a_preview_costs_its_pixels():
    small, large = (
        estimate_cost(PreviewJob(show="grid"), source) for source in ((1000, 1000), (8000, 4000))
    )
    assert large == pytest.approx(32 * small)
    assert large > estimate_cost(Img2ImgJob(steps=1))


@pytest.fixture(scope="module")
def family():
    """Count the networks of a family without weights: TFLOP of an entry, encoding and decoding."""

    def build(name):
        parts = json.loads((CONFIGS_DIR / f"{name}.json").read_text())
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(parts["unet"])
            vae = AutoencoderKL.from_config(parts["vae"])

        def count(call, *shapes, **more):
            inputs = [torch.zeros(shape, device="meta") for shape in shapes]
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                call(*inputs, **more)
            return counter.get_total_flops() / 1e12

        def price(side, chunks):
            tokens = torch.zeros(1, 77 * chunks, unet.config.cross_attention_dim, device="meta")
            condition = {"text_embeds": torch.zeros(1, 1280, device="meta")}
            condition["time_ids"] = torch.zeros(1, 6, device="meta")
            latent = (1, 4, side // 8, side // 8)
            return (
                count(
                    unet, latent, (1,), encoder_hidden_states=tokens, added_cond_kwargs=condition
                ),
                count(vae.encode, (1, 3, side, side)),
                count(vae.decode, latent),
            )

        return price

    return build


@pytest.mark.parametrize(("name", "most"), [("sd1", 1.1), ("sdxl", 4)])
def test_the_price_is_what_the_networks_are_counted_at(family, name, most):
    """However large the picture and long the words; a constant factor is learnt from jobs."""
    count = family(name)
    for side, chunks in ((256, 1), (512, 1), (512, 40), (1024, 1), (1024, 40), (2048, 1)):
        entry, encoding, decoding = count(side, chunks)
        words = dataclasses.replace(NO_WORDS, chunks=chunks)
        passes = DenoisePass((side, side), 40)
        counted = 40 * entry + encoding + decoding
        assert counted / most < passes.price(words) < counted * most, (side, chunks)


@pytest.mark.parametrize(
    "text",
    [
        "masterpiece, best quality, an old lighthouse at dusk, (detailed:1.3), 8k uhd " * 70,
        "a " * 3000,
        "x," * 3000,
        "😀🎉" * 3000,
        "美丽的风景" * 1200,
        "яблоко красное " * 400,
        "Ünïcödé " * 700,
    ],
)
def test_tokens_are_guessed_to_within_a_factor_of_two(text):
    tokens = len(load_tokenizer(CONFIGS_DIR / "tokenizer").ids(text))
    assert tokens / 2 < _count_tokens(text) < tokens * 2
    assert measure_prompts(text, "").chunks == math.ceil(_count_tokens(text) / CHUNK_TOKENS)


NATURAL = 64  # pixels a side of the tiny checkpoint's own pictures
SOURCE = (100, 70)

#: Samplers that do not choose their steps on the way.
KNOWN_BEFOREHAND = [name for name in SAMPLER_NAMES if name not in ADAPTIVE_CALLS]

COUNTED = [
    ImagineJob(),
    ImagineJob(batch=2, hires_scale=2.0, hires_steps=3, sampler="Heun"),
    ImagineJob(hires_scale=1.5, hires_upscaler="lanczos", hires_strength=0.3),
    Img2ImgJob(),
    Img2ImgJob(width=128, height=64, batch=3, guidance=1.0),
    Img2ImgJob(prompt="a cat AND a red apple:0.5"),
    Img2ImgJob(prompt="a cat AND a red apple:0.5 AND sky", guidance=1.0),
    Img2ImgJob(guidance=0.6),
    Img2ImgJob(sampler="Euler CFG++", guidance=1.0),
    ImagineJob(sampler="DPM++ 2S a CFG++", guidance=1.0, prompt="a cat AND a red apple"),
    UpscaleJob(mode="redraw", upscaler="lanczos", sampler="Euler a CFG++", guidance=1.0),
    Img2ImgJob(strength=0.0),
    *(Img2ImgJob(sampler=sampler) for sampler in KNOWN_BEFOREHAND),
    *(Img2ImgJob(sampler=sampler, strength=0.5, exact_steps=False) for sampler in KNOWN_BEFOREHAND),
    InpaintJob(mask_shape="left 30%"),
    InpaintJob(mask_shape="left 30%", area="only masked", soft=True, batch=2),
    OutpaintJob(left=64, strength=0.5),
    OutpaintJob(left=30, up=100, down=200, batch=2),
    OutpaintJob(method="poor man's", left=64, right=20),
    OutpaintJob(method="poor man's", preset="zoom out 2x", mask_blur=0),
    OutpaintJob(preset="to 16:9", width=128, height=64),
    LoopbackJob(loops=3, final_strength=0.2, batch=2),
    LoopbackJob(loops=3, strength=0.4, final_strength=0.8, exact_steps=False),
    LoopbackJob(loops=2, final_strength=0.0),
    UpscaleJob(upscaler="lanczos"),
    UpscaleJob(mode="redraw", upscaler="lanczos", factor=2.5, overlap=16),
    UpscaleJob(
        mode="redraw", upscaler="lanczos", width=150, height=90, crop=True, sampler="DPM++ SDE"
    ),
]


@pytest.mark.parametrize("job", COUNTED, ids=lambda job: f"{job.kind} {job.sampler}")
def test_it_counts_the_rows_that_the_network_is_asked_for(run_job, monkeypatch, job):
    """Every call of the network is counted: rows times pixels."""
    counted = []
    real = DiffusionModel.denoise

    def count(self, x, *rest):
        counted.append(len(x) * x.shape[-1] * x.shape[-2] * 64 / 1e6)
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    job = dataclasses.replace(job, steps=4, seed=1)
    image = Image.linear_gradient("L").convert("RGB").resize(SOURCE)
    run_job(job, {"image": image} if job.required_images else {})

    said = sum(run.megapixels * run.rows for run in list_denoise_passes(job, SOURCE, NATURAL))
    assert sum(counted) == pytest.approx(said)


@given(
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.sampled_from([1.0, 1.5, 2.0, 4.0, 4.01, 8.0]),
    st.integers(1, 4),
    st.sampled_from([None, 512]),
)
def test_it_counts_each_pass_of_an_upscaler(size, factor, scale, longest):
    """A network runs on its own result until the picture covers what was asked for."""
    plan = UpscalePlan(Resampler.LANCZOS, ScaleBy(factor), longest_side=longest)
    passes = pass_sizes(size, plan, SimpleNamespace(scale=scale))
    price = UpscalerSize(scale, 1.0).price(size, scaled_size(size, plan))
    assert price == pytest.approx(sum(width * height for width, height in passes) / 1e6)


def test_eight_times_by_a_network_of_four_is_seventeen_passes():
    upscalers = {"x4": UpscalerSize(4, 2.0)}
    twice, eight = (
        estimate_cost(UpscaleJob(upscaler="x4", factor=factor), (500, 500), upscalers=upscalers)
        for factor in (2.0, 8.0)
    )
    assert (twice, eight) == (pytest.approx(0.5), pytest.approx(17 * 0.5))


@pytest.mark.parametrize(("visibility", "names"), [(0.0, "a"), (0.5, "ab"), (1.0, "b")])
def test_only_upscalers_that_show_cost_something(visibility, names):
    upscalers = {"a": UpscalerSize(2, 1.0), "b": UpscalerSize(2, 10.0)}
    job = UpscaleJob(upscaler="a", second="b", visibility=visibility, factor=2.0)
    cost = estimate_cost(job, (1000, 1000), upscalers=upscalers)
    assert cost == pytest.approx(sum(upscalers[name].tflop for name in names))


AMOUNTS = st.integers(0, 300)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_it_counts_the_runs_of_any_outpainting(studio, data):
    size = data.draw(st.tuples(st.integers(64, 300), st.integers(64, 300)))
    job = OutpaintJob(
        left=data.draw(AMOUNTS),
        right=data.draw(AMOUNTS),
        up=data.draw(AMOUNTS),
        down=data.draw(st.integers(1, 300)),
        width=data.draw(st.sampled_from([None, 128, 200])),
        preset=data.draw(st.sampled_from(OUTPAINT_PRESETS)),
        method=data.draw(st.sampled_from(["mk2", "poor man's"])),
        mask_blur=0,
        steps=1,
        seed=1,
    )
    try:
        painted = painted_sizes(job, Image.new("RGB", size, "red"), studio)
    except ImageError:  # too large for the host, or of that shape already
        return
    assert sorted(painted) == sorted(run.size for run in list_denoise_passes(job, size, NATURAL))


def painted_sizes(job, image, studio):
    """Answer each work with a black picture and note its size."""
    operation, sizes, results = run_outpaint(job, {"image": image}, studio), [], None
    while True:
        try:
            works = operation.send(results).works
        except StopIteration:
            return sizes
        sizes += [(work.width, work.height) for work in works if isinstance(work, DenoiseWork)]
        results = [
            DenoiseResult(image=Image.new("RGB", (work.width, work.height)), latent=None)
            if isinstance(work, DenoiseWork)
            else work.call()
            for work in works
        ]
