from __future__ import annotations

import pytest

from bot.errors import NotAllowed
from bot.policy import Rules, check_models, fitted
from bot.policy.models import loras_in
from inference.jobs import Imagine, Img2Img, Interrogate, Upscale

RULES = Rules(models=("sdxl", "anime"))
LORAS = Rules(loras=("ink", "soft light"))


@pytest.mark.parametrize(
    ("job", "default"),
    [
        (Imagine(model="anime"), "starter"),
        (Imagine(), "sdxl"),
        (Upscale(model="other"), "starter"),  # runs no checkpoint
        (Interrogate(), "starter"),
    ],
)
def test_allowed_models(job, default):
    check_models(RULES, job, default)
    check_models(Rules(), Imagine(model="anything"), default)


@pytest.mark.parametrize(
    "job", [Imagine(model="other"), Img2Img(), Upscale(mode="redraw", model="other")]
)
def test_other_models_are_refused_with_a_list(job):
    with pytest.raises(NotAllowed, match="It allows “sdxl”, “anime”"):
        check_models(RULES, job, "starter")


def test_a_long_list_is_cut():
    rules = Rules(models=tuple(f"m{n}" for n in range(30)))
    with pytest.raises(NotAllowed, match="“m9” and 20 more"):
        check_models(rules, Imagine(model="x"), "")


@pytest.mark.parametrize(
    ("job", "default", "model"),
    [
        (Imagine(), "starter", "sdxl"),
        (Imagine(), "anime", ""),
        (Imagine(model="other"), "starter", "other"),
        (Interrogate(), "starter", ""),
    ],
)
def test_what_stands_in_for_a_hosts_own(job, default, model):
    assert fitted(RULES, job, default).model == model
    assert fitted(Rules(), job, default) is job


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
    assert list(loras_in(prompt)) == names


def test_loras():
    check_models(LORAS, Imagine(prompt="<lora:ink:1>", negative_prompt="<lora:other:1>"), "")
    check_models(Rules(), Imagine(prompt="<lora:other:1>"), "")
    with pytest.raises(NotAllowed, match="the LoRA “other”"):
        check_models(LORAS, Imagine(prompt="a <lora:ink:1> <lora:other:1>"), "")
