"""The button that restores faces: only where a worker can, and what it asks for."""

from __future__ import annotations

from inference.api.messages import ModelInfo
from tests.bot.views.test_buttons import done
from tests.doubles.cards import labels, more_of, press

RESTORER = ModelInfo(name="gfpgan-1.4", kind="face_restorer", size=0, about="GFPGAN")


def offered(message) -> list[str]:
    return [*labels(message), *more_of(message)]


async def test_without_a_network_for_it_there_is_no_button(easel):
    result = await done(easel)
    assert "Restore faces" not in offered(result.response)


async def test_before_a_worker_told_what_it_has_there_is_none(easel):
    easel.service.models = ()
    result = await done(easel)
    assert "Upscale 2×" in offered(result.response)
    assert "Restore faces" not in offered(result.response)


async def test_faces_are_restored_at_the_pictures_own_size(easel):
    easel.service.models = (*easel.service.models, RESTORER)
    result = await done(easel)
    parent = await easel.only_job()
    await press(easel.alice, result.response, label="Restore faces")
    job = await easel.jobs.reader.get_job(easel.service.job.job_id)
    assert (job.kind, job.parent) == ("upscale", parent.id)
    assert {name: job.params[name] for name in ("upscaler", "factor", "restore_faces")} == {
        "upscaler": "lanczos",
        "factor": 1.0,
        "restore_faces": "gfpgan-1.4",
    }


async def test_a_network_that_has_gone_is_told(easel):
    models = easel.service.models
    easel.service.models = (*models, RESTORER)
    result = await done(easel)
    easel.service.models = models
    pressed = await press(easel.alice, result.response, label="Restore faces")
    assert "models pull gfpgan-1.4" in pressed.response.content


async def test_a_restorer_is_called_by_its_architecture(easel):
    easel.service.models = (*easel.service.models, RESTORER)
    await easel.ask("upscale", restore_faces="GFPGAN")
    assert easel.service.job.params["restore_faces"] == "gfpgan-1.4"


async def test_a_restorer_that_is_nowhere_is_refused_at_once(easel):
    result = await easel.ask("upscale", restore_faces="gfpgan")
    assert "no face restorer" in result.response.content
