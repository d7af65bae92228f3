"""The button under a result whose seam shows."""

from __future__ import annotations

import pytest

from storage.records import JobState
from tests.doubles.cards import labels, press


async def seen(easel, kind="inpaint", images=1, **options):
    result = await easel.ask(kind, **{"prompt": "a window", "seed": 5, **options})
    await easel.finish(images=images, seam=True)
    return result


@pytest.mark.parametrize(
    ("kind", "options"), [("inpaint", {"mask_shape": "left 30%"}), ("outpaint", {"right": 64})]
)
async def test_it_repaints_the_edge_of_the_mask_alone(easel, kind, options):
    result = await seen(easel, kind, guidance=4.0, steps=9, **options)
    parent = await easel.only_job()
    assert len(result.response.attachments) == 1

    await press(easel.alice, result.response, label="Mend the seam")

    child = await easel.jobs.reader.get_job(easel.service.job.job_id)
    assert (child.kind, child.parent) == ("inpaint", parent.id)
    assert child.inputs == {
        "image": parent.result["pictures"][0]["key"],
        "mask": parent.result["seams"][0]["key"],
    }
    told = ("prompt", "seed", "guidance", "steps", "area", "strength")
    assert [child.params[name] for name in told] == ["a window", 5, 4.0, 9, "mask edge", 0.3]


async def test_it_works_after_a_restart(easel):
    result = await seen(easel, mask_shape="left 30%")
    await easel.restart()
    await press(easel.alice, result.response, label="Mend the seam")
    assert easel.service.job.params["area"] == "mask edge"


async def test_a_result_without_a_seam_offers_none(easel):
    result = await easel.ask("inpaint", mask_shape="left 30%")
    await easel.finish()
    assert "Mend the seam" not in labels(result.response)


async def test_each_picture_of_a_batch_is_mended_on_its_own(easel):
    result = await seen(easel, images=2, mask_shape="left 30%", batch=2)
    parent = await easel.only_job()
    assert "Mend the seam" not in labels(result.response)
    single = await press(easel.alice, result.response, label="U2")
    await press(easel.alice, single.response, label="Mend the seam")
    child = await easel.jobs.reader.get_job(easel.service.job.job_id)
    assert child.inputs["image"] == parent.result["pictures"][1]["key"]
    assert child.params["seed"] == 6


async def test_somebody_elses_result(easel):
    result = await seen(easel, mask_shape="left 30%")
    pressed = await press(easel.bob, result.response, label="Mend the seam")
    assert pressed.ephemeral
    assert (await easel.only_job()).state is JobState.DONE
