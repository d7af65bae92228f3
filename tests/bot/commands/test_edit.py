"""Edits by instruction: command, reply, menu and button, and what is said without a model."""

from __future__ import annotations

import pytest

from inference.api.messages import INSTRUCT_ROLE, ModelInfo
from tests.bot.commands.mentions.test_listener import result_of, says
from tests.bot.views.test_buttons import done
from tests.doubles.cards import labels, more_of, press
from tests.doubles.forms import filled_in
from tests.doubles.images import png

EDITOR = ModelInfo(name="instruct-pix2pix", kind="diffusion", size=512, role=INSTRUCT_ROLE)
PHOTO = ("photo.png", png())


@pytest.fixture
def editor(easel):
    easel.service.models = (*easel.service.models, EDITOR)
    return easel


async def test_the_whole_picture_is_changed_by_the_instruction(editor):
    await editor.alice.slash(editor.channel, "edit", image=PHOTO, instruction="make it night")
    job = await editor.only_job()
    assert job.kind == "img2img"
    expected = {"prompt": "make it night", "model": EDITOR.name, "strength": 1.0}
    assert {name: job.params[name] for name in expected} == expected


async def test_with_a_mask_only_that_part_is(editor):
    words = {"instruction": "add a hat", "mask_shape": "left 30%", "image_guidance": 1.2}
    await editor.alice.slash(editor.channel, "edit", image=PHOTO, **words)
    job = await editor.only_job()
    assert job.kind == "inpaint"
    expected = {"prompt": "add a hat", "model": EDITOR.name, "strength": 1.0, "mask_blur": 0}
    expected |= {"mask_shape": "left 30%", "image_guidance": 1.2}
    assert {name: job.params[name] for name in expected} == expected


async def test_what_is_said_comes_before_what_an_edit_is_by_itself(editor):
    words = {"instruction": "make it night", "strength": 0.6, "steps": 7}
    await editor.alice.slash(editor.channel, "edit", image=PHOTO, **words)
    params = (await editor.only_job()).params
    assert (params["strength"], params["steps"]) == (0.6, 7)


def offered(message) -> list[str]:
    return [*labels(message), *more_of(message)]


async def test_without_such_a_model_it_is_said_which_one_to_fetch(easel):
    result = await easel.alice.slash(easel.channel, "edit", image=PHOTO, instruction="a hat")
    assert result.ephemeral
    assert "`models pull instruct-pix2pix`" in result.response.content
    assert "4 GB" in result.response.content


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        ("make it night", "make it night"),
        ("turn it into a drawing, strength 0.8", "turn it into a drawing"),
        ("edit: give her a hat", "give her a hat"),
        ("remove the car", "remove the car"),
        ("replace the sky with a sunset", "replace the sky with a sunset"),
    ],
)
async def test_a_reply_that_is_an_order_is_followed(editor, words, prompt):
    await says(editor, words, to=await result_of(editor))
    job = await editor.jobs.reader.get_job(editor.service.job.job_id)
    assert (job.kind, job.params["prompt"], job.params["model"]) == (
        "img2img",
        prompt,
        EDITOR.name,
    )
    assert job.params["strength"] == (0.8 if "0.8" in words else 1.0)
    assert job.parent is not None


async def test_words_of_what_it_shows_are_painted_as_before(editor):
    await says(editor, "a watercolour of a fox", to=await result_of(editor))
    job = await editor.jobs.reader.get_job(editor.service.job.job_id)
    assert (job.params["prompt"], job.params["model"]) == ("a watercolour of a fox", "")


async def test_the_button_asks_for_the_instruction(editor):
    result = await done(editor)
    parent = await editor.only_job()
    pressed = await press(editor.alice, result.response, label="Edit in words")
    assert pressed.modal["title"] == "Edit this picture"
    await editor.alice.submit_modal(pressed, filled_in(pressed, prompt="make it night"))
    job = await editor.jobs.reader.get_job(editor.service.job.job_id)
    assert (job.kind, job.parent, job.params["model"]) == ("img2img", parent.id, EDITOR.name)
    assert (job.params["prompt"], job.params["strength"]) == ("make it night", 1.0)


async def test_without_such_a_model_there_is_no_button(easel):
    assert "Edit in words" not in offered((await done(easel)).response)


async def test_the_file_of_a_reply_says_where(editor):
    parent = await result_of(editor)
    await says(editor, "make it red", to=parent, files=[("m.png", png(colour="white"))])
    job = await editor.jobs.reader.get_job(editor.service.job.job_id)
    assert (job.kind, job.params["prompt"]) == ("inpaint", "make it red")
    assert (job.params["model"], set(job.inputs)) == (EDITOR.name, {"image", "mask"})


async def test_the_menu_edits_where_such_a_model_is(editor):
    shown = await editor.menu("Edit…", await editor.posted(PHOTO))
    assert shown.modal["title"] == "Edit this picture"
    await editor.alice.submit_modal(shown, filled_in(shown, prompt="make it night"))
    params = (await editor.only_job()).params
    assert (params["model"], params["strength"]) == (EDITOR.name, 1.0)


KLEIN = ModelInfo(name="klein", kind="diffusion", size=1024, references=4)
FURTHER = {f"image{number}": (f"{number}.png", png()) for number in (2, 3, 4)}


@pytest.fixture
def klein(editor):
    editor.service.models = (*editor.service.models, KLEIN)
    return editor


async def test_further_pictures_go_to_the_model_that_looks_at_most(klein):
    words = {"instruction": "put the hat on her"}
    await klein.alice.slash(klein.channel, "edit", image=PHOTO, **FURTHER, **words)
    job = await klein.only_job()
    assert (job.kind, job.params["model"], job.params["instruct"]) == ("img2img", "klein", True)
    assert set(job.inputs) == {"image", "image2", "image3", "image4"}


async def test_further_pictures_and_a_mask(klein):
    words = {"instruction": "add a hat", "mask": PHOTO, "image2": PHOTO}
    await klein.alice.slash(klein.channel, "edit", image=PHOTO, **words)
    job = await klein.only_job()
    assert (job.kind, job.params["model"]) == ("inpaint", "klein")
    assert set(job.inputs) == {"image", "mask", "image2"}


async def test_more_pictures_than_the_model_looks_at_are_refused_at_once(klein):
    words = {"instruction": "add a hat", "model": EDITOR.name, "image2": PHOTO}
    result = await klein.alice.slash(klein.channel, "edit", image=PHOTO, **words)
    assert result.ephemeral
    assert "looks at up to 1 pictures" in result.response.content
    assert not await klein.jobs.reader.list_by_owner(str(klein.alice.id))


async def test_a_model_that_does_not_edit_is_refused_at_once(klein):
    other = next(model for model in klein.service.models if model.kind == "diffusion")
    words = {"instruction": "add a hat", "model": other.name}
    result = await klein.alice.slash(klein.channel, "edit", image=PHOTO, **words)
    assert "does not edit by instructions" in result.response.content


async def test_a_reply_goes_to_the_model_that_looks_at_most(klein):
    await says(klein, "make it night", to=await result_of(klein))
    job = await klein.jobs.reader.get_job(klein.service.job.job_id)
    assert (job.params["model"], job.params["instruct"], job.params["strength"]) == (
        "klein",
        True,
        1.0,
    )


@pytest.mark.parametrize("command", ["img2img", "inpaint"])
async def test_other_commands_ask_for_no_further_pictures(klein, command):
    from bot.commands import COG_CLASSES

    options = {
        name.name: [option.name for option in name.parameters]
        for cog in COG_CLASSES
        for name in cog.__cog_app_commands__
        if hasattr(name, "parameters")
    }
    assert "image2" in options["edit"]
    assert "image2" not in options[command]
