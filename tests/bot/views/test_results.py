"""The buttons of a finished job, and what comes of pressing them."""

from __future__ import annotations

import discord
import pytest

from storage.records import JobState
from tests.doubles.cards import labels, more_of, press
from tests.doubles.forms import filled_in

ROW = ["Again", "Vary", "Edit", "Inpaint"]
LAST = ["Before / after", "Original", "Parameters", "Report", "Delete"]
MORE = ["Upscale 2×", "Vary (strong)", "Redraw 2×", "Outpaint", "Describe", *LAST]


async def done(easel, kind="img2img", images=1, text="", **options):
    result = await easel.ask(kind, **options)
    await easel.finish(images=images, text=text)
    return result


def inputs(modal) -> dict[str, dict]:
    controls = [label["component"] for label in modal["components"]]
    return {control["custom_id"]: control for control in controls}


def fields_with(lines: list[str], line: str) -> str:
    """Change one line of a form's list."""
    name = line.partition(":")[0]
    return "\n".join(line if old.startswith(f"{name}:") else old for old in lines)


async def child_of(easel):
    return await easel.jobs.reader.get_job(easel.service.job.job_id)


async def test_what_belongs_to_another_server_is_for_its_owner_alone(easel):
    role = easel.guild.create_role("mod", permissions=discord.Permissions(manage_messages=True))
    moderator = easel.guild.add_member(easel.env.create_user("erin"), roles=[role])
    described = await easel.ask("interrogate")
    await easel.finish(text="a red apple")
    painted = await easel.ask("img2img")
    await easel.finish()
    running = await easel.ask("img2img")
    await easel.core.database.execute("UPDATE job SET guild = '12345'")

    for message, label in ((described, "Use as prompt"), (painted, "Parameters")):
        refused = await press(easel.bob, message.response, label=label)
        assert "belongs to another server" in refused.response.content, label
        assert refused.ephemeral
    refused = await press(moderator, running.response, label="Cancel")
    assert "Only they and moderators may cancel it" in refused.response.content
    assert (
        "Steps" in (await press(easel.alice, painted.response, label="Parameters")).response.content
    )


async def test_a_result_offers_all_that_can_be_done_with_it(easel):
    message = (await done(easel)).response
    assert labels(message) == [*ROW, "More …"]
    assert list(more_of(message)) == MORE


async def test_a_large_result_has_no_other_original(easel):
    result = await easel.ask()
    await easel.finish(size=(400, 300))
    assert "Original" not in more_of(result.response)


async def test_a_choice_taken_back_does_nothing(easel):
    result = await done(easel)
    await easel.alice.select(result.response, [])
    assert await easel.count() == 1
    assert len(easel.messages()) == 1


async def test_an_enlargement_offers_what_needs_no_seed(easel):
    message = (await done(easel, "upscale")).response
    assert labels(message) == ["Inpaint", "Upscale 2×", "Redraw 2×", "Outpaint", "More …"]
    assert list(more_of(message)) == ["Describe", *LAST]


async def test_words_offer_to_become_a_prompt(easel):
    result = await easel.ask("interrogate")
    await easel.finish(images=0, text="a red apple on a plate")
    assert labels(result.response) == [
        "From the caption",
        "From the tags",
        "Use as prompt",
        "Report",
        "Delete",
    ]


async def test_the_card_tells_seed_model_and_time(easel):
    result = await done(easel, seed=7)
    for part in ("seed `7`", "20 steps", "Euler a", "1.5 s"):
        assert part in result.response.content


@pytest.mark.parametrize(("label", "share"), [("Vary", 0.5), ("Vary (strong)", 0.8)])
async def test_vary_keeps_the_seed_and_adds_a_share_of_another(easel, label, share):
    result = await done(easel, prompt="a red apple", seed=5)
    parent = await easel.only_job()
    await press(easel.alice, result.response, label=label)
    child = await child_of(easel)
    assert (child.params["seed"], child.params["variation_strength"]) == (5, share)
    assert (child.parent, child.inputs) == (parent.id, parent.inputs)


async def test_edit_shows_the_job_and_runs_it_changed(easel):
    result = await done(easel, prompt="a red apple", seed=5, strength=0.6, steps=9)
    shown = await press(easel.alice, result.response, label="Edit")
    fields = {name: field.get("value") for name, field in inputs(shown.modal).items()}
    lines = fields.pop("more").splitlines()
    assert fields == {
        "prompt": "a red apple",
        "negative_prompt": None,
        "strength": "0.6",
        "steps": "9",
    }
    assert {"guidance: 7", "seed: 5", "sampler: Euler a", "resize mode: crop and resize"} <= {
        *lines
    }
    changed = fields_with(lines, "guidance: 5")
    await easel.alice.submit_modal(
        shown, {"prompt": "a pear", "strength": "0,4", "steps": "", "more": changed}
    )
    child = await child_of(easel)
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
async def test_what_a_form_cannot_take_is_said(easel, field, text, words):
    result = await done(easel)
    shown = await press(easel.alice, result.response, label="Edit")
    sent = await easel.alice.submit_modal(shown, {field: text})
    assert sent.ephemeral
    assert words in sent.response.content
    assert await easel.count() == 1


async def test_a_prompt_too_long_for_a_form(easel):
    result = await done(easel, prompt="x" * 4001)
    pressed = await press(easel.alice, result.response, label="Edit")
    assert pressed.modal is None
    assert "4001 characters, but a form holds 4000" in pressed.response.content


async def test_upscale_takes_the_picture_that_was_made(easel):
    result = await done(easel)
    parent = await easel.only_job()
    await press(easel.alice, result.response, label="Upscale 2×")
    child = await child_of(easel)
    assert (child.kind, child.params["factor"], child.parent) == ("upscale", 2.0, parent.id)
    assert child.params["upscaler"] == "animevideov3"  # what the worker has
    assert child.inputs == {"image": parent.result["pictures"][0]["key"]}


async def test_describe_then_use_as_prompt(easel):
    result = await done(easel)
    described = await press(easel.alice, result.response, label="Describe")
    assert (await child_of(easel)).kind == "interrogate"
    await easel.finish(images=0, text="a red apple")
    shown = await press(easel.bob, described.response, label="Use as prompt")
    assert inputs(shown.modal)["prompt"]["value"] == "a red apple"
    await easel.bob.submit_modal(shown, {"prompt": "a red apple, watercolour"})
    child = await child_of(easel)
    assert ("imagine", str(easel.bob.id)) == (child.kind, child.owner)
    assert child.params["prompt"] == "a red apple, watercolour"


async def test_parameters_are_for_everyone_and_seen_by_one(easel):
    result = await done(easel, prompt="a red apple", seed=5)
    pressed = await press(easel.bob, result.response, label="Parameters")
    assert pressed.ephemeral
    assert "Steps: 20" in pressed.response.content
    assert "exact_steps" not in pressed.response.content
    (file,) = pressed.response.attachments
    words = (await file.read()).decode()
    assert "strength: 0.75" in words
    assert "exact_steps: True" in words


async def test_long_parameters_come_as_a_file(easel):
    result = await done(easel, prompt="word " * 500)
    pressed = await press(easel.alice, result.response, label="Parameters")
    assert pressed.ephemeral
    (file,) = pressed.response.attachments
    assert (await file.read()).decode().count("word ") == 1000


async def test_a_result_links_to_what_it_was_made_from(easel):
    result = await done(easel)
    again = await press(easel.alice, result.response, label="Again")
    await easel.finish()
    assert f"/{result.response.id})" in again.response.content


@pytest.mark.parametrize("label", ["Vary", "Edit", "Upscale 2×", "Describe", "Before / after"])
async def test_somebody_elses_result_is_not_for_me(easel, label):
    result = await done(easel)
    pressed = await press(easel.bob, result.response, label=label)
    assert pressed.ephemeral
    assert "Ask for one of your own" in pressed.response.content
    assert await easel.count() == 1


async def test_they_live_on_after_a_restart(easel):
    result = await done(easel)
    await easel.restart()
    shown = await press(easel.alice, result.response, label="Edit")
    await easel.alice.submit_modal(shown, {"prompt": "a pear"})
    await press(easel.alice, result.response, label="Upscale 2×")
    jobs = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    assert [job.kind for job in jobs] == ["upscale", "img2img", "img2img"]
    assert jobs[-1].state is JobState.DONE


async def test_a_picture_that_is_swept_away(easel):
    result = await done(easel)
    record = await easel.only_job()
    await easel.blobs.delete_blob(record.result["pictures"][0]["key"])
    pressed = await press(easel.alice, result.response, label="Upscale 2×")
    assert pressed.ephemeral
    assert await easel.count() == 1


async def test_a_result_is_redrawn_with_its_words_and_no_others(easel):
    result = await done(easel, prompt="a red apple", negative_prompt="blur", steps=9)
    record = await easel.only_job()
    await press(easel.alice, result.response, label="Redraw 2×")
    job = await child_of(easel)
    assert (job.kind, job.params["mode"], job.params["factor"]) == ("upscale", "redraw", 2.0)
    assert (job.params["prompt"], job.params["negative_prompt"]) == ("a red apple", "blur")
    assert (job.params["steps"], job.params["strength"]) == (20, 0.3)
    assert job.inputs == {"image": record.result["pictures"][0]["key"]}


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [("steps", "many", "whole number"), ("strength", "5", "must lie between 0 and 1")],
)
async def test_a_form_with_one_wrong_number_comes_back_filled_in(easel, field, text, words):
    result = await done(easel, prompt="a red apple", seed=5)
    shown = await press(easel.alice, result.response, label="Edit")
    sent = await easel.alice.submit_modal(
        shown, filled_in(shown, prompt="a pear on a table", **{field: text})
    )
    assert sent.ephemeral
    assert words in sent.response.content
    again = await press(easel.alice, sent.response, label="Fix it")
    values = filled_in(again)
    assert (values["prompt"], values[field]) == ("a pear on a table", text)
    await easel.alice.submit_modal(again, {**values, field: "1"})
    params = (await child_of(easel)).params
    assert (params["prompt"], params[field], params["seed"]) == ("a pear on a table", 1, 5)


async def test_a_slip_in_the_list_of_other_settings_comes_back_too(easel):
    result = await done(easel, prompt="a red apple")
    shown = await press(easel.alice, result.response, label="Edit")
    sent = await easel.alice.submit_modal(shown, filled_in(shown, more="clip_skipp: 2"))
    assert "Did you mean clip_skip" in sent.response.content.replace("\\", "")
    again = await press(easel.alice, sent.response, label="Fix it")
    assert filled_in(again)["more"] == "clip_skipp: 2"
    await easel.alice.submit_modal(again, filled_in(again, more="clip skip: 2\nrng: nv"))
    params = (await child_of(easel)).params
    assert (params["clip_skip"], params["rng"]) == (2, "NV")
