"""The buttons of a finished job, and what comes of pressing them."""

from __future__ import annotations

import pytest

from storage.records import JobState

IMAGED = ["Upscale 2×", "Inpaint", "Outpaint", "Describe", "Parameters"]
EVERY = ["Again", "Vary (subtle)", "Vary (strong)", "Edit", *IMAGED, "Delete", "Report"]


async def done(house, kind="img2img", images=1, text="", **options):
    result = await house.ask(kind, **options)
    await house.finish(images=images, text=text)
    return result


def labels(message) -> list[str]:
    return [item["label"] for row in message.components for item in row["components"]]


def inputs(modal) -> dict[str, dict]:
    controls = [label["component"] for label in modal["components"]]
    return {control["custom_id"]: control for control in controls}


async def child_of(house):
    return await house.jobs.reader.get_job(house.service.job.job_id)


async def test_a_result_offers_all_that_can_be_done_with_it(house):
    assert labels((await done(house)).response) == EVERY


async def test_an_enlargement_offers_what_needs_no_seed(house):
    assert labels((await done(house, "upscale")).response) == [*IMAGED, "Delete", "Report"]


async def test_words_offer_to_become_a_prompt(house):
    result = await house.ask("interrogate")
    await house.finish(images=0, text="a red apple on a plate")
    assert labels(result.response) == ["Use as prompt", "Delete"]


async def test_the_card_tells_seed_model_and_time(house):
    result = await done(house, seed=7)
    for part in ("seed `7`", "20 steps", "Euler a", "1.5 s"):
        assert part in result.response.content


@pytest.mark.parametrize(("label", "share"), [("Vary (subtle)", 0.15), ("Vary (strong)", 0.45)])
async def test_vary_keeps_the_seed_and_adds_a_share_of_another(house, label, share):
    result = await done(house, prompt="a red apple", seed=5)
    parent = await house.only_job()
    await house.alice.click(result.response, label=label)
    child = await child_of(house)
    assert (child.params["seed"], child.params["variation_strength"]) == (5, share)
    assert (child.parent, child.inputs) == (parent.id, parent.inputs)


async def test_edit_shows_the_job_and_runs_it_changed(house):
    result = await done(house, prompt="a red apple", seed=5, strength=0.6, steps=9)
    shown = await house.alice.click(result.response, label="Edit")
    fields = inputs(shown.modal)
    assert {name: field.get("value") for name, field in fields.items()} == {
        "prompt": "a red apple",
        "negative_prompt": None,
        "strength": "0.6",
        "steps": "9",
        "guidance": "7",
    }
    await house.alice.submit_modal(
        shown, {"prompt": "a pear", "strength": "0,4", "steps": "", "guidance": "5"}
    )
    child = await child_of(house)
    told = {
        name: child.params[name] for name in ("prompt", "strength", "steps", "guidance", "seed")
    }
    assert told == {"prompt": "a pear", "strength": 0.4, "steps": 20, "guidance": 5.0, "seed": 5}


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("steps", "many", "steps must be a whole number, not “many”."),
        ("steps", "9.5", "steps must be a whole number"),
        ("steps", "900", "must lie between 1 and 150"),
        ("strength", "nan", "must lie between 0 and 1"),
    ],
)
async def test_what_a_form_cannot_take_is_said(house, field, text, words):
    result = await done(house)
    shown = await house.alice.click(result.response, label="Edit")
    sent = await house.alice.submit_modal(shown, {field: text})
    assert sent.ephemeral
    assert words in sent.response.content
    assert await house.count() == 1


async def test_a_prompt_too_long_for_a_form(house):
    result = await done(house, prompt="x" * 4001)
    pressed = await house.alice.click(result.response, label="Edit")
    assert pressed.modal is None
    assert "4001 characters, but a form holds 4000" in pressed.response.content


async def test_upscale_takes_the_picture_that_was_made(house):
    result = await done(house)
    parent = await house.only_job()
    await house.alice.click(result.response, label="Upscale 2×")
    child = await child_of(house)
    assert (child.kind, child.params["factor"], child.parent) == ("upscale", 2.0, parent.id)
    assert child.params["upscaler"] == "animevideov3"  # what the worker has
    assert child.inputs == {"image": parent.result["pictures"][0]["key"]}


async def test_describe_then_use_as_prompt(house):
    result = await done(house)
    described = await house.alice.click(result.response, label="Describe")
    assert (await child_of(house)).kind == "interrogate"
    await house.finish(images=0, text="a red apple")
    shown = await house.bob.click(described.response, label="Use as prompt")
    assert inputs(shown.modal)["prompt"]["value"] == "a red apple"
    await house.bob.submit_modal(shown, {"prompt": "a red apple, watercolour"})
    child = await child_of(house)
    assert ("imagine", str(house.bob.id)) == (child.kind, child.owner)
    assert child.params["prompt"] == "a red apple, watercolour"


async def test_parameters_are_for_everyone_and_seen_by_one(house):
    result = await done(house, prompt="a red apple", seed=5)
    pressed = await house.bob.click(result.response, label="Parameters")
    assert pressed.ephemeral
    assert "Steps: 20" in pressed.response.content
    assert "strength: 0.75" in pressed.response.content


async def test_long_parameters_come_as_a_file(house):
    result = await done(house, prompt="word " * 500)
    pressed = await house.alice.click(result.response, label="Parameters")
    assert pressed.ephemeral
    (file,) = pressed.response.attachments
    assert (await file.read()).decode().count("word ") == 1000


async def test_a_result_links_to_what_it_was_made_from(house):
    result = await done(house)
    again = await house.alice.click(result.response, label="Again")
    await house.finish()
    assert f"/{result.response.id})" in again.response.content


@pytest.mark.parametrize("label", ["Vary (subtle)", "Edit", "Upscale 2×", "Describe"])
async def test_somebody_elses_result_is_not_for_me(house, label):
    result = await done(house)
    pressed = await house.bob.click(result.response, label=label)
    assert pressed.ephemeral
    assert "Ask for one of your own" in pressed.response.content
    assert await house.count() == 1


async def test_they_live_on_after_a_restart(house):
    result = await done(house)
    await house.restart()
    shown = await house.alice.click(result.response, label="Edit")
    await house.alice.submit_modal(shown, {"prompt": "a pear"})
    await house.alice.click(result.response, label="Upscale 2×")
    jobs = await house.jobs.reader.list_by_owner(str(house.alice.id))
    assert [job.kind for job in jobs] == ["upscale", "img2img", "img2img"]
    assert jobs[-1].state is JobState.DONE


async def test_a_picture_that_is_swept_away(house):
    result = await done(house)
    record = await house.only_job()
    await house.blobs.delete_blob(record.result["pictures"][0]["key"])
    pressed = await house.alice.click(result.response, label="Upscale 2×")
    assert pressed.ephemeral
    assert await house.count() == 1
