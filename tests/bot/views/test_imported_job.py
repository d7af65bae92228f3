"""Pictures of other programs, run here from what their files tell."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.messages import imported_job_message
from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import job_from_info
from tests.doubles.cards import press
from tests.doubles.images import encoded, png

TEXT = (
    "a fox\nNegative prompt: blur\nSteps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 77, "
    "Size: 128x64, Model: elsewhere, Tiling: True"
)


@pytest.fixture
async def posted(easel):
    info = PngInfo()
    info.add_text("parameters", TEXT)
    file = encoded(Image.new("RGB", (8, 8)), "PNG", pnginfo=info)
    return await easel.posted(("fox.png", file))


async def test_the_menu_says_what_differs_and_runs_it(easel, posted):
    shown = await easel.menu("Parameters", posted)
    assert "Sampler: DPM++ 2M Karras" in shown.response.content
    (offer,) = shown.followups
    assert offer.ephemeral
    assert "**imagine**, as told by web UI: seed `77` · 28 steps · DPM\\+\\+ 2M" in (
        offer.content.replace("DPM++", "DPM\\+\\+")
    )
    assert "Its checkpoint, elsewhere, is not here" in offer.content
    assert "Tiling: True is left out" in offer.content
    assert await easel.count() == 0

    run = await press(easel.alice, offer, label="Run it here")
    record = await easel.only_job()
    assert not run.ephemeral
    expected = {"prompt": "a fox", "negative_prompt": "blur", "steps": 28, "seed": 77}
    expected |= {"sampler": "DPM++ 2M", "schedule": "Karras", "guidance": 6.5, "model": ""}
    assert expected.items() <= record.params.items()
    assert (record.kind, record.params["width"], record.params["height"]) == ("imagine", 128, 64)


async def test_what_a_server_forbids_is_forbidden_here_too(easel, posted):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"max_steps": 10})
    (offer,) = (await easel.menu("Parameters", posted)).followups
    refused = await press(easel.alice, offer, label="Run it here")
    assert "28" in refused.response.content
    assert refused.ephemeral
    assert await easel.count() == 0


INPAINTED = (
    "a fox\nSteps: 9, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 512x512, RNG: CPU, "
    "Denoising strength: 0.6, Mask blur: 8, Inpaint area: Only masked, Masked area padding: 48"
)


async def offered(easel, **texts):
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    file = encoded(Image.new("RGB", (64, 64)), "PNG", pnginfo=info)
    shown = await easel.menu("Parameters", await easel.posted(("fox.png", file)))
    return shown.followups[-1]


async def test_an_inpainting_asks_for_its_mask(easel):
    offer = await offered(easel, parameters=INPAINTED)
    assert "**inpaint**, as told by web UI" in offer.content
    shown = await press(easel.alice, offer, label="Run it here")
    assert await easel.count() == 0
    await easel.alice.submit_modal(shown, {"mask": ("mask.png", png((64, 64), "white"))})
    record = await easel.only_job()
    expected = {"mask_blur": 8, "area": "only masked", "padding": 48, "strength": 0.6, "seed": 5}
    assert (record.kind, set(easel.service.job.inputs)) == ("inpaint", {"image", "mask"})
    assert expected.items() <= record.params.items()


async def test_an_inpainting_takes_a_mask_in_words_and_another_picture(easel):
    offer = await offered(easel, parameters=INPAINTED)
    shown = await press(easel.alice, offer, label="Run it here")
    answers = {"mask_shape": "left 30%", "image": ("photo.png", png((96, 64)))}
    await easel.alice.submit_modal(shown, answers)
    record = await easel.only_job()
    assert (record.kind, record.params["mask_shape"]) == ("inpaint", "left 30%")
    assert set(easel.service.job.inputs) == {"image"}


async def test_a_graph_that_cannot_be_followed_is_told(easel):
    graph = json.dumps({"1": {"class_type": "SomeSampler", "inputs": {"text": "a fox"}}})
    offer = await offered(easel, prompt=graph)
    assert "ComfyUI graph that cannot be followed" in offer.content


def test_a_strangers_words_are_shown_as_text():
    told = GenerationInfo("**x**", "a", "", {"@everyone": "[x](https://x.invalid)", "Seed": "1"})
    found = job_from_info(told, ())
    words = imported_job_message(told.tool, found.job, found.notes)
    assert "\\*\\*x\\*\\*" in words
    assert "\\[x\\]\\(https" in words
