"""Walk the table of docs/models.md: each operation on each family works, or is refused in words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from inference.api.errors import InferenceError, JobError
from inference.api.jobs import (
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
)
from inference.api.jobs.names import CFG_PP_SAMPLERS
from inference.diffusion.lora.names import LAYER_TYPES
from inference.sampling.flow_table import FLOW_SCHEDULES
from inference.sampling.sampler_traits import SAMPLER_TRAITS
from inference.sampling.schedules import SCHEDULE_FUNCTIONS

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
COLUMNS = {
    "Z-Image": "z-image",
    "FLUX.1 dev": "flux-dev",
    "FLUX.1 schnell": "flux-schnell",
    "FLUX.1 Kontext": "kontext",
    "FLUX.2 klein": "klein",
    "klein base": "klein-base",
    "Chroma": "chroma",
    "Qwen-Image": "qwen",
    "Qwen-Image-Edit": "qwen-edit",
    "Edit-Plus": "qwen-edit-plus",
    "SD3.5": "sd3",
}
COMMON = {"prompt": "a red apple", "steps": 2, "seed": 3, "guidance": 1.0, "sampler": "Euler"}
SQUARE = {"width": 64, "height": 64}


def read_table():
    section = PAGE.read_text(encoding="utf-8").split("### Flow transformers")[1]
    table = section[section.index("\n|") + 1 :].split("\n\n")[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|\- ]+", line)
    ]
    header, *rows = lines
    return [
        (row[0], COLUMNS[title], cell)
        for row in rows
        for title, cell in zip(header[1:], row[1:], strict=True)
    ]


@pytest.fixture(scope="module")
def picture():
    values = np.random.default_rng(7).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((64, 64), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def mask():
    image = Image.new("L", (64, 64), 0)
    image.paste(255, (16, 16, 48, 48))
    return image


@pytest.fixture(scope="session")
def loras(flow_models, flow_library):
    """Lay a LoRA for each checkpoint by diffusers' names, and one of Stable Diffusion 1."""
    folder = flow_models / "loras"
    folder.mkdir()
    generator = torch.Generator().manual_seed(5)
    for name in COLUMNS.values():
        state = {}
        network = flow_library.get_checkpoint(name).network
        for layer, module in network.named_modules():
            if isinstance(module, LAYER_TYPES) and layer.endswith((".attn.to_q", "attention.to_q")):
                down = torch.randn(2, module.weight.shape[1], generator=generator)
                up = torch.randn(module.weight.shape[0], 2, generator=generator)
                state[f"transformer.{layer}.lora_A.weight"] = down
                state[f"transformer.{layer}.lora_B.weight"] = up
        assert state
        save_file(state, folder / f"{name}-style.safetensors")
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    other = {f"{stem}.lora_down.weight": torch.zeros(2, 768)}
    save_file(other | {f"{stem}.lora_up.weight": torch.zeros(8, 2)}, folder / "sd1.safetensors")


def jobs_of(what, name, picture, mask):
    """Give the jobs with pictures that a line of the table stands for."""
    common = COMMON | {"model": name}
    source, masked = {"image": picture}, {"image": picture, "mask": mask}
    imagine = ImagineJob(**common, **SQUARE)
    match what:
        case "imagine" | "looks at unfinished pictures":
            yield imagine, {}
        case "hires fix, as latent and as picture":
            for upscaler in ("latent", "lanczos"):
                yield (
                    ImagineJob(**common, **SQUARE, hires_scale=1.3, hires_upscaler=upscaler),
                    {},
                )
        case "img2img":
            yield Img2ImgJob(**common, width=70, height=90), source
        case "inpaint" | "soft inpainting":
            for area in ("only masked", "whole picture"):
                soft = what != "inpaint"
                yield InpaintJob(**common, **SQUARE, area=area, soft=soft), masked
        case "outpaint poor man's" | "outpaint mk2":
            method = what.removeprefix("outpaint ")
            yield OutpaintJob(**common, **SQUARE, method=method, right=32), source
        case "edit by instruction":
            yield Img2ImgJob(**common, **SQUARE, instruct=True), source
            yield InpaintJob(**common, **SQUARE, instruct=True, strength=1.0), masked
        case "edit with further pictures":
            yield Img2ImgJob(**common, **SQUARE, instruct=True), source | {"image2": picture}
        case "loopback":
            yield LoopbackJob(**common, **SQUARE, loops=2), source
        case "redraw":
            yield UpscaleJob(**common, mode="redraw", factor=1.1, upscaler="lanczos"), source
        case "LoRA by diffusers' names":
            yield ImagineJob(**common | {"prompt": f"a cat <lora:{name}-style:1>"}, **SQUARE), {}
        case "LoRA of another family":
            yield ImagineJob(**common | {"prompt": "a cat <lora:sd1:1>"}, **SQUARE), {}
        case "prompt changes from step to step":
            yield ImagineJob(**common | {"prompt": "[red:green:0.5] apple"}, **SQUARE), {}
        case "AND":
            yield ImagineJob(**common | {"prompt": "a cat AND the sky"}, **SQUARE), {}
        case "samplers of CFG++":
            for sampler in CFG_PP_SAMPLERS:
                yield ImagineJob(**common | {"sampler": sampler}, **SQUARE), {}
        case "refiner":
            yield ImagineJob(**common, **SQUARE, refiner="tiny"), {}
            yield ImagineJob(**common | {"model": "tiny"}, **SQUARE, refiner=name), {}
        case "samplers DDIM, PLMS, UniPC, DPM fast, DPM adaptive":
            for sampler in what.removeprefix("samplers ").split(", "):
                yield ImagineJob(**common | {"sampler": sampler}, **SQUARE), {}
        case "schedules over σ (Karras and its like)":
            for schedule in set(SCHEDULE_FUNCTIONS) - set(FLOW_SCHEDULES):
                yield ImagineJob(**common, **SQUARE, schedule=schedule), {}
        case _:
            raise ValueError(f"nothing is known of {what!r}")


@pytest.mark.parametrize(("what", "name", "cell"), read_table())
@pytest.mark.usefixtures("loras")
def test_the_table_says_what_happens(what, name, cell, run_flow_job, flow_library, picture, mask):
    for job, images in jobs_of(what, name, picture, mask):
        if cell == "refused":
            with pytest.raises(InferenceError) as refusal:
                run_flow_job(job, **images)
            assert len(str(refusal.value)) > 30
            continue
        assert cell == "works"
        outcome = run_flow_job(job, **images)
        image = outcome.images[0].image
        assert np.asarray(image.convert("RGB")).std() > 1
        if what == "img2img":
            assert image.size == (64, 96)
            assert "multiples of 16" in " ".join(map(str, outcome.notes))
        if what.startswith("LoRA"):
            plain = run_flow_job(ImagineJob(**COMMON | {"prompt": "a cat"}, **SQUARE, model=name))
            assert image.tobytes() != plain.images[0].image.tobytes()
        if what.startswith("looks"):
            latents = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(1))
            assert flow_library.preview_latents(name, latents).shape == (2, 3, 8, 8)


def test_the_table_names_every_refused_sampler():
    refused = [name for name, traits in SAMPLER_TRAITS.items() if not traits.suits_flow]
    (line,) = {what for what, _, _ in read_table() if what.startswith("samplers DDIM")}
    assert sorted(line.removeprefix("samplers ").split(", ")) == sorted(refused)


@pytest.mark.parametrize("sampler", [n for n, t in SAMPLER_TRAITS.items() if t.suits_flow])
def test_other_samplers_come_to_a_picture(sampler, run_flow_job):
    settings = {"model": "z-image", "sampler": sampler, "steps": 4, "guidance": 2.0}
    outcome = run_flow_job(ImagineJob(**COMMON | settings, **SQUARE))
    assert np.asarray(outcome.images[0].image).std() > 1


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("z-image", {"prompt": "a (red:1.3) apple"}, "weighs no words"),
        ("z-image", {"clip_skip": 2}, "Clip skip 2"),
        ("flux-schnell", {"negative_prompt": "a cat"}, "negative prompt does nothing"),
        ("flux-schnell", {"guidance": 5.0}, "guidance of 5 does nothing"),
        ("flux-dev", {"guidance": 7.0}, "told 3.5"),
    ],
)
def test_what_does_nothing_is_noted(name, settings, words, run_flow_job):
    outcome = run_flow_job(ImagineJob(**COMMON | {"model": name} | settings, **SQUARE))
    assert words in " ".join(map(str, outcome.notes))


@pytest.mark.parametrize("prompt", ["a (red:1.3) apple", "a [red] apple", "a cat BREAK an apple"])
def test_the_linter_says_it_too(prompt, run_flow_job):
    words = "weighs no words"
    assert words in run_flow_job(ExplainJob(model="z-image", prompt=prompt)).text
    assert words not in run_flow_job(ExplainJob(model="z-image", prompt="a red apple")).text
    assert words not in run_flow_job(ExplainJob(model="tiny", prompt=prompt)).text


@pytest.mark.parametrize("name", COLUMNS.values())
def test_a_plain_job_has_no_notes(name, run_flow_job):
    assert not run_flow_job(ImagineJob(**COMMON | {"model": name}, **SQUARE)).notes


def test_a_missing_text_encoder_is_named(flow_models, flow_library):
    place = flow_models / "broken"
    place.mkdir()
    for part in (flow_models / "z-image").iterdir():
        if part.name != "text_encoder":
            (place / part.name).symlink_to(part)
    with pytest.raises(InferenceError, match="text_encoder"):
        flow_library.get_checkpoint("broken")
    assert "broken" not in {info.name for info in flow_library.list_models()}
    with pytest.raises((JobError, InferenceError)):
        flow_library.get_checkpoint("broken")
