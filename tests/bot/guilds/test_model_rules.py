from __future__ import annotations

import pytest

from bot.errors import NotAllowed
from bot.guilds import GuildSettings, check_models, with_allowed_model
from bot.guilds.model_rules import lora_names_in
from inference.api.jobs import ImagineJob, Img2ImgJob, InterrogateJob, UpscaleJob

RULES = GuildSettings(models=("sdxl", "anime"))
LORAS = GuildSettings(loras=("ink", "soft light"))


@pytest.mark.parametrize(
    ("job", "default"),
    [
        (ImagineJob(model="anime"), "starter"),
        (ImagineJob(), "sdxl"),
        (UpscaleJob(model="other"), "starter"),  # runs no checkpoint
        (InterrogateJob(), "starter"),
    ],
)
def test_allowed_models(job, default):
    check_models(RULES, job, default)
    check_models(GuildSettings(), ImagineJob(model="anything"), default)


@pytest.mark.parametrize(
    "job", [ImagineJob(model="other"), Img2ImgJob(), UpscaleJob(mode="redraw", model="other")]
)
def test_other_models_are_refused_with_a_list(job):
    with pytest.raises(NotAllowed, match="It allows “sdxl”, “anime”"):
        check_models(RULES, job, "starter")


def test_a_long_list_is_cut():
    rules = GuildSettings(models=tuple(f"m{n}" for n in range(30)))
    with pytest.raises(NotAllowed, match="“m9” and 20 more"):
        check_models(rules, ImagineJob(model="x"), "")


@pytest.mark.parametrize(
    ("job", "default", "model"),
    [
        (ImagineJob(), "starter", "sdxl"),
        (ImagineJob(), "anime", ""),
        (ImagineJob(model="other"), "starter", "other"),
        (InterrogateJob(), "starter", ""),
    ],
)
def test_what_stands_in_for_a_hosts_own(job, default, model):
    assert with_allowed_model(RULES, job, default).model == model
    assert with_allowed_model(GuildSettings(), job, default) is job


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("a cat", []),
        ("a cat <lora:ink:0.8>, <lyco:soft light>", ["ink", "soft light"]),
        ("<LORA: ink :1>", ["ink"]),
        ("<lora:name=ink:te=1>", ["ink"]),
        ("<lora:0.5>", ["0.5"]),
        ("<hypernet:ink:1> <lora ink>", []),
    ],
)
def test_the_loras_of_a_prompt(prompt, names):
    assert list(lora_names_in(prompt)) == names


def test_loras():
    check_models(LORAS, ImagineJob(prompt="<lora:ink:1>", negative_prompt="<lora:other:1>"), "")
    check_models(GuildSettings(), ImagineJob(prompt="<lora:other:1>"), "")
    with pytest.raises(NotAllowed, match="the LoRA “other”"):
        check_models(LORAS, ImagineJob(prompt="a <lora:ink:1> <lora:other:1>"), "")
