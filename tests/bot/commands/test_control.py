"""Pictures held to others: options, what is chosen where nothing is said, and refusals."""

from __future__ import annotations

import pytest

from inference.api.messages import ModelInfo
from tests.doubles.images import png

MAP = ("map.png", png())
CHECKPOINTS = (
    ModelInfo(name="photo", kind="diffusion", size=512, family="sd1"),
    ModelInfo(name="large", kind="diffusion", size=1024, family="sdxl"),
)
NETWORKS = (
    ModelInfo(name="sd15-depth", kind="control", size=0, about="depth", family="sd1"),
    ModelInfo(name="sd15-canny", kind="control", size=0, about="canny", family="sd1"),
    ModelInfo(name="xl-union", kind="control", size=0, about="pose, canny, tile", family="sdxl"),
)


@pytest.fixture
def held(easel):
    easel.service.models = (*easel.service.models, *CHECKPOINTS, *NETWORKS)
    return easel


async def ask(easel, command="imagine", **options):
    return await easel.alice.slash(easel.channel, command, prompt="a house", **options)


@pytest.mark.parametrize(
    ("model", "kind", "chosen"),
    [
        ("photo", "canny", "sd15-canny"),
        ("large", "canny", "xl-union"),
        ("large", "lineart", "xl-union"),
        ("photo", "automatic", "sd15-depth"),
    ],
)
async def test_the_network_of_the_checkpoints_family_is_chosen_by_the_kind(
    held, model, kind, chosen
):
    await ask(held, control=MAP, control_kind=kind, model=model)
    job = await held.only_job()
    assert job.params["control_model"] == chosen
    assert "control" in job.inputs


async def test_the_choice_is_left_to_the_worker_where_the_family_is_not_known(held):
    await ask(held, control=MAP, control_kind="canny")
    assert (await held.only_job()).params["control_model"] == ""


async def test_strength_and_window_are_written_into_more(held):
    more = "control_strength: 0.8, control_begin: 0.1, control_end: 0.6"
    await ask(held, control=MAP, control_model="sd15-canny", model="photo", more=more)
    params = (await held.only_job()).params
    assert (params["control_strength"], params["control_begin"]) == (0.8, 0.1)
    assert params["control_end"] == 0.6


async def test_a_picture_worked_on_is_held_to_itself(held):
    photo = ("photo.png", png())
    await ask(held, "img2img", image=photo, control_kind="canny", model="photo")
    job = await held.only_job()
    assert job.params["control_model"] == "sd15-canny"
    assert set(job.inputs) == {"image"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"control_kind": "canny"}, "no control picture"),
        ({"control_model": "sd15-canny"}, "no control picture"),
        ({"control": MAP, "control_model": "sd15-cany"}, "Did you mean"),
        ({"control": MAP, "control_model": "xl-union", "model": "photo"}, "another family"),
        ({"control": MAP, "control_kind": "tile", "model": "photo"}, "depth, canny"),
        ({"control": MAP, "control_kind": "depth", "model": "photo"}, "makes depth maps"),
        ({"control": MAP, "more": "control_begin: 0.5, control_end: 0.2"}, "has to come before"),
    ],
)
async def test_what_cannot_be_is_refused_at_once_and_alone(held, options, words):
    result = await ask(held, **options)
    assert result.ephemeral
    assert words in result.response.content
    assert await held.count() == 0


async def test_without_any_network_it_is_said_where_the_host_puts_one(easel):
    result = await ask(easel, control=MAP)
    assert result.ephemeral
    assert "folder controlnet" in result.response.content
