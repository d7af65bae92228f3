"""Pictures of other programs, run here from what their files tell."""

from __future__ import annotations

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.messages import imported_job_message
from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import job_from_info
from tests.doubles.images import encoded

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

    run = await easel.alice.click(offer, label="Run it here")
    record = await easel.only_job()
    assert not run.ephemeral
    expected = {"prompt": "a fox", "negative_prompt": "blur", "steps": 28, "seed": 77}
    expected |= {"sampler": "DPM++ 2M", "schedule": "Karras", "guidance": 6.5, "model": ""}
    assert expected.items() <= record.params.items()
    assert (record.kind, record.params["width"], record.params["height"]) == ("imagine", 128, 64)


async def test_what_a_server_forbids_is_forbidden_here_too(easel, posted):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"max_steps": 10})
    (offer,) = (await easel.menu("Parameters", posted)).followups
    refused = await easel.alice.click(offer, label="Run it here")
    assert "28" in refused.response.content
    assert refused.ephemeral
    assert await easel.count() == 0


def test_a_strangers_words_are_shown_as_text():
    told = GenerationInfo("**x**", "a", "", {"@everyone": "[x](https://x.invalid)", "Seed": "1"})
    found = job_from_info(told, ())
    words = imported_job_message(told.tool, found.job, found.notes)
    assert "\\*\\*x\\*\\*" in words
    assert "\\[x\\]\\(https" in words
