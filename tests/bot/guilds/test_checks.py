"""A server's rules as pure functions."""

from __future__ import annotations

import pytest

from bot import guilds
from bot.errors import NotAllowed
from bot.guilds import (
    GuildSettings,
    RequestContext,
    check_job,
    check_models,
    check_place,
    check_queue,
    with_allowed_model,
)
from bot.guilds.checks import lora_names_in
from inference.api.jobs import ImagineJob, Img2ImgJob, InterrogateJob, LoopbackJob, UpscaleJob
from inference.api.jobs.price import ModelFrame

HERE = RequestContext(channels=frozenset({"7", "70"}), roles=frozenset({"1", "2"}))


@pytest.mark.parametrize(
    "rules",
    [
        GuildSettings(),
        GuildSettings(channels=frozenset({"7"})),
        GuildSettings(channels=frozenset({"70", "9"})),  # the channel of this thread
        GuildSettings(roles=frozenset({"2", "5"})),
        GuildSettings(channels=frozenset({"7"}), roles=frozenset({"1"})),
    ],
)
def test_who_is_let_through(rules):
    check_place(rules, HERE)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (GuildSettings(channels=frozenset({"9", "8"})), "<#8> or <#9>"),
        (GuildSettings(roles=frozenset({"5"})), "<@&5>"),
        (GuildSettings(channels=frozenset({"7"}), roles=frozenset({"5"})), "<@&5>"),
    ],
)
def test_who_is_not_and_reads_why(rules, words):
    with pytest.raises(NotAllowed) as refused:
        check_place(rules, HERE)
    assert words in str(refused.value)


CEILINGS = [
    (GuildSettings(max_steps=30), Img2ImgJob(steps=30), Img2ImgJob(steps=31)),
    (GuildSettings(max_steps=30), ImagineJob(hires_steps=30), ImagineJob(hires_steps=31)),
    (GuildSettings(max_batch=2), Img2ImgJob(batch=2), Img2ImgJob(batch=3)),
    (GuildSettings(max_loops=4), LoopbackJob(loops=4), LoopbackJob(loops=5)),
    (
        GuildSettings(max_megapixels=1.0),
        Img2ImgJob(width=1000, height=1000),
        Img2ImgJob(width=1000, height=1001),
    ),
    (
        GuildSettings(max_megapixels=1.0),
        ImagineJob(width=500, height=500, hires_scale=2.0),
        ImagineJob(width=500, height=500, hires_scale=2.5),
    ),
]


@pytest.mark.parametrize(("rules", "allowed", "refused"), CEILINGS)
def test_a_ceiling_is_itself_allowed(rules, allowed, refused):
    check_job(rules, allowed)
    check_job(GuildSettings(), refused)
    with pytest.raises(NotAllowed):
        check_job(rules, refused)


def test_a_picture_without_a_size_is_measured_by_its_models_own():
    rules = GuildSettings(max_megapixels=0.5)
    for job in (ImagineJob(), ImagineJob(hires_scale=1.3)):
        check_job(rules, job, frame=ModelFrame(512, 8))
        with pytest.raises(NotAllowed, match=r"1\.05 megapixels|1\.76 megapixels"):
            check_job(rules, job, frame=ModelFrame(1024, 8))
        check_job(GuildSettings(), job, frame=ModelFrame(1024, 8))
    with pytest.raises(NotAllowed, match=r"1\.05 megapixels"):
        check_job(rules, ImagineJob(hires_scale=2.0))


def test_an_enlargement_is_measured_once_its_picture_is_known():
    rules, job = GuildSettings(max_megapixels=1.0), UpscaleJob(factor=4.0)
    check_job(rules, job)
    check_job(rules, job, [(250, 250)])
    with pytest.raises(NotAllowed, match=r"1\.02 megapixels"):
        check_job(rules, job, [(250, 256)])


def test_jobs_under_way():
    check_queue(GuildSettings(max_jobs=2), 1)
    check_queue(GuildSettings(), 100)
    with pytest.raises(NotAllowed, match="allows 2"):
        check_queue(GuildSettings(max_jobs=2), 2)


def test_settings_of_other_parts_are_not_looked_at():
    kept = {"channels": ["7"], "max_steps": 30, "other": "de"}
    assert GuildSettings.from_stored(kept) == GuildSettings(channels=frozenset({"7"}), max_steps=30)
    assert GuildSettings.from_stored({}) == GuildSettings()


RULES = GuildSettings(models=("sdxl", "anime"))
LORAS = GuildSettings(loras=("ink", "soft light"))


@pytest.mark.parametrize(
    ("job", "default"),
    [
        (ImagineJob(model="anime"), "starter"),
        (ImagineJob(), "sdxl"),
        (ImagineJob(model="anime", refiner="sdxl"), "starter"),
        (UpscaleJob(model="other"), "starter"),  # runs no checkpoint
        (InterrogateJob(), "starter"),
    ],
)
def test_allowed_models(job, default):
    check_models(RULES, job, default)
    check_models(GuildSettings(), ImagineJob(model="anything"), default)


@pytest.mark.parametrize(
    "job",
    [
        ImagineJob(model="other"),
        ImagineJob(model="anime", refiner="other"),
        Img2ImgJob(),
        UpscaleJob(mode="redraw", model="other"),
    ],
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


def test_only_the_owner_goes_on_with_a_job():
    assert guilds.may_use("1", "1")
    assert not guilds.may_use("2", "1")


@pytest.mark.parametrize("rule", [guilds.may_delete, guilds.may_cancel])
def test_the_owner_and_moderators_end_things(rule):
    assert rule("1", "1", manages_messages=False)
    assert rule("2", "1", manages_messages=True)
    assert not rule("2", "1", manages_messages=False)
