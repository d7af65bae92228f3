"""`--like` a picture of every program, with every kind of job and with `--explain`."""

from __future__ import annotations

import json

import pytest

from bot.cli.arguments import build_job_like
from inference.api.infotext.readers import read_generation_info
from inference.api.jobs import JOB_TYPES, DenoisingJob, ExplainJob
from inference.api.messages import ModelInfo
from tests.bot.cli.test_arguments import BASE, parse
from tests.inference.api.infotext import test_readers as samples

MODELS = [ModelInfo(name="base15", kind="diffusion", size=512, digest="1a2b3c4d5e")]
EASEL = (
    "a fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, "
    "Size: 512x512, Model: base15, Denoising strength: 0.5, Mask blur: 4, Version: Easel 0.1.0"
)
POSTPROCESSED = "Postprocess upscaler: lanczos, Postprocess upscale by: 3, Version: Easel 0.1.0"
PROGRAMS = {
    "web UI": {"parameters": samples.WEB_UI},
    "Easel": {"parameters": EASEL},
    "Easel's upscale": {"parameters": POSTPROCESSED},
    "ComfyUI": {"prompt": json.dumps(samples.COMFY)},
    "InvokeAI": {"invokeai_metadata": json.dumps(samples.INVOKE)},
    "Fooocus": {"parameters": json.dumps(samples.FOOOCUS)},
    "NovelAI": {"Software": "NovelAI", "Comment": json.dumps(samples.NOVELAI)},
}
EXPLAINED = [(kind, True) for kind, job in JOB_TYPES.items() if issubclass(job, DenoisingJob)]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("kind", "explains"), [*((kind, False) for kind in JOB_TYPES), *EXPLAINED])
def test_every_kind_can_be_like_a_picture_of_every_program(kind, explains, program):
    info = read_generation_info(PROGRAMS[program])
    words = [kind, *BASE.get(kind, []), "--like", "x.png", *(["--explain"] * explains)]

    imported_job = build_job_like(parse(*words), info, MODELS)

    expected = ExplainJob if explains else JOB_TYPES[kind]
    assert type(imported_job.job) is expected
    names = {option for option in ("prompt", "negative_prompt") if hasattr(expected, option)}
    told = {"prompt": info.prompt, "negative_prompt": info.negative}
    assert {name: getattr(imported_job.job, name) for name in names} == {
        name: told[name] for name in names
    }
    if expected in (ExplainJob, JOB_TYPES["preview"]):
        assert not any("left out" in str(note) for note in imported_job.notes)


def test_an_explanation_takes_what_it_needs():
    info = read_generation_info(PROGRAMS["web UI"])

    imported_job = build_job_like(parse("imagine", "--like", "x.png", "--explain"), info, MODELS)

    expected = ExplainJob(
        prompt="a fox, <lora:ink:0.7>",
        negative_prompt="blur",
        steps=28,
        sampler="DPM++ 2M",
        seed=77,
        model="base15",
    )
    assert imported_job.job == expected


def test_an_upscale_is_like_an_upscale():
    info = read_generation_info(PROGRAMS["Easel's upscale"])

    imported_job = build_job_like(parse("upscale", "--like", "x.png"), info, MODELS)

    assert (imported_job.job.upscaler, imported_job.job.factor) == ("lanczos", 3.0)
    assert imported_job.notes == ()


def test_what_takes_nothing_says_so():
    info = read_generation_info(PROGRAMS["Easel"])

    (note,) = build_job_like(parse("interrogate", "--like", "x.png"), info, MODELS).notes

    assert "interrogate takes nothing" in str(note)
