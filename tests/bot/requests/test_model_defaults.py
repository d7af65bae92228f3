"""What a checkpoint draws best with stands in its jobs where a member says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.dispatcher.known_checkpoints import KnownCheckpoints
from bot.requests.job_check import CARD_UPSCALER, default_upscaler
from inference.api.jobs import ImagineJob, UpscaleJob, estimate_cost
from inference.api.jobs.model_defaults import ModelDefault
from inference.api.messages import ModelInfo
from inference.api.workers.protocol import WorkerStatus
from tests.bot.views.test_results import child_of, done
from tests.doubles.cards import press
from tests.doubles.forms import filled_in
from tests.doubles.service import MODELS

FEW_STEPS = (
    ModelDefault("steps", 4, "catalogue"),
    ModelDefault("guidance", 1.0, "file"),
    ModelDefault("sampler", "Euler", "family"),
)
PAINTING_KINDS = ("imagine", "img2img", "inpaint", "outpaint", "loopback")


@pytest.fixture
def turbo(easel):
    """Have the worker say that its checkpoint draws in few steps, and another one beside it."""
    starter, *others = MODELS
    flow = ModelInfo(name="flow", kind="diffusion", size=1000, multiple=16)
    easel.service.models = (replace(starter, defaults=FEW_STEPS), *others, flow)
    return easel


@pytest.mark.parametrize("kind", PAINTING_KINDS)
async def test_each_kind_takes_them_and_what_was_said_wins(turbo, kind):
    options = {"preset": "make square"} if kind == "outpaint" else {}
    options |= {"mask_shape": "left 30%"} if kind == "inpaint" else {}
    await turbo.ask(kind, steps=9, **options)
    params = (await turbo.only_job()).params
    assert (params["steps"], params["guidance"], params["sampler"]) == (9, 1.0, "Euler")


@pytest.mark.parametrize("kind", ["img2img", "outpaint", "loopback"])
async def test_a_picture_alone_is_described_where_somebody_can(turbo, kind):
    options = {"preset": "make square"} if kind == "outpaint" else {}
    await turbo.ask(kind, **options)
    assert (await turbo.only_job()).params["caption_prompt"] is True


@pytest.mark.parametrize("is_said", [True, False])
async def test_it_is_not_where_words_were_said_or_nobody_can(easel, is_said):
    if not is_said:
        easel.service.models = MODELS[:1]
    await easel.ask("img2img", **({"prompt": "a cat"} if is_said else {"prompt": ""}))
    assert (await easel.only_job()).params["caption_prompt"] is False


async def test_another_checkpoint_has_none_of_them(turbo):
    await turbo.ask("imagine", model="flow")
    params = (await turbo.only_job()).params
    assert (params["steps"], params["guidance"], params["sampler"]) == (20, 7.0, "Euler a")


async def test_a_member_and_a_server_choose_before_the_checkpoint(turbo):
    await turbo.guilds.put_member_defaults(str(turbo.alice.id), {"guidance": 3.0})
    await turbo.guilds.change_settings(str(turbo.guild.id), "admin", {"default_steps": 12})
    await turbo.ask("img2img")
    params = (await turbo.only_job()).params
    assert (params["steps"], params["guidance"], params["sampler"]) == (12, 3.0, "Euler")


async def test_a_button_has_them(turbo):
    result = await done(turbo, prompt="an apple")
    await press(turbo.alice, result.response, label="Redraw 2×")
    job = await child_of(turbo)
    assert (job.params["mode"], job.params["steps"], job.params["guidance"]) == ("redraw", 4, 1.0)


async def test_a_form_has_them_filled_in(turbo):
    described = await turbo.ask("interrogate")
    await turbo.finish(text="a red apple")
    shown = await press(turbo.alice, described.response, label="Use as prompt")
    values = filled_in(shown)
    assert (values["steps"], values["guidance"]) == ("4", "1")


async def test_parameters_say_where_they_come_from(turbo):
    result = await done(turbo, "imagine", steps=9)
    shown = await press(turbo.alice, result.response, label="Parameters")
    words = shown.response.content
    assert "guidance 1 as the file beside the checkpoint says." in words
    assert "sampler Euler as checkpoints of this kind need it." in words
    assert "catalogue" not in words  # its 4 steps are not what was said


async def test_a_picture_is_priced_by_the_sizes_that_its_model_makes(turbo):
    await turbo.ask("imagine", model="flow", guidance=1)
    record = await turbo.only_job()
    job = ImagineJob.from_params(record.params)
    assert record.cost == pytest.approx(estimate_cost(job, None, 1000, multiple=16))
    assert record.cost != pytest.approx(estimate_cost(job, None, 1000), rel=1e-9)


class Pool:
    worker_statuses = ()


def status(*models, device="cuda"):
    return WorkerStatus(name="w", ready=True, held=0, capacity=1, device=device, models=models)


def test_a_checkpoint_is_found_as_people_write_it_and_remembered():
    pool = Pool()
    known = KnownCheckpoints(pool, "own")
    assert (known.native_side(""), known.size_multiple("x"), known.model_defaults("")) == (
        512,
        8,
        (),
    )
    pool.worker_statuses = (
        status(
            ModelInfo(name="first", kind="diffusion", size=1024),
            ModelInfo(name="own", kind="diffusion", size=640, multiple=16, defaults=FEW_STEPS),
        ),
    )
    for name in ("", "own", "Own.safetensors", "SDXL/own"):
        assert known.model_defaults(name) == FEW_STEPS, name
        assert (known.native_side(name), known.size_multiple(name)) == (640, 16)
    pool.worker_statuses = ()
    assert known.model_defaults("own") == FEW_STEPS


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        (("cuda",), CARD_UPSCALER),
        (("cuda:1", "xpu"), CARD_UPSCALER),
        (("cuda", "cpu"), UpscaleJob().upscaler),
        (("cpu",), UpscaleJob().upscaler),
        (("",), UpscaleJob().upscaler),
    ],
)
def test_cards_enlarge_with_the_network_that_keeps_detail(devices, name):
    upscalers = [
        ModelInfo(name=key, kind="upscaler", size=4)
        for key in (UpscaleJob().upscaler, CARD_UPSCALER)
    ]
    workers = [status(*upscalers, device=device) for device in devices]
    assert default_upscaler(workers) == name
    assert default_upscaler([status(upscalers[0])]) == UpscaleJob().upscaler
