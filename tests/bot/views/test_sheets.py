"""The buttons under a contact sheet, and under one picture of it."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.bot.views.test_results import child_of, inputs, labels
from tests.doubles.cards import control_rows, more_of, press, walk_parts
from tests.doubles.forms import filled_in

SINGLE = ["Vary", "Edit", "Inpaint", "Upscale 2×", "More …"]


async def sheet(easel, images=4, kind="img2img", **options):
    result = await easel.ask(kind, batch=images, **options)
    await easel.finish(images=images, size=(64, 48))
    return result


def rows(message) -> list[list[str]]:
    return [[item.get("label", "select") for item in row] for row in control_rows(message)]


@pytest.mark.parametrize(
    ("images", "wide"), [(2, [2]), (4, [4]), (5, [5]), (6, [3, 3]), (7, [4, 3]), (8, [4, 4])]
)
async def test_each_picture_has_a_u_and_a_v(easel, images, wide):
    message = (await sheet(easel, images)).response
    assert [len(row) for row in rows(message)] == [*wide, *wide, 2, 1]
    assert len(list(walk_parts(message.components))) <= 40
    numbered = [f"{letter}{n}" for letter in "UV" for n in range(1, images + 1)]
    assert labels(message) == [*numbered, "Again", "Edit", "More …"]
    assert list(more_of(message)) == ["Parameters", "Report", "Delete"]
    assert [file.filename[-6:] for file in message.attachments] == [
        f"-{n}.png" for n in range(1, images + 1)
    ]


async def test_u_posts_the_picture_as_it_was_made(easel):
    result = await sheet(easel, seed=5, prompt="a red apple")
    record = await easel.only_job()
    shown = await press(easel.alice, result.response, label="U3")
    message = shown.response
    (file,) = message.attachments
    original = await press(easel.bob, message, label="Original")
    assert original.ephemeral
    assert "64 × 48 px" in original.response.content
    (made,) = original.response.attachments
    assert await made.read() == await easel.blobs.get(record.result["pictures"][2]["key"])
    assert file.description == "img2img, picture 3 of 4: a red apple"
    assert "seed `7`" in message.content
    assert "Picture 3 of 4." in message.content
    assert f"/{result.response.id})" in message.content
    assert labels(message) == SINGLE
    assert await easel.count() == 1


async def test_of_a_sheet_that_one_member_sees_only_they_see_the_picture(easel):
    await sheet(easel)
    record = await easel.only_job()
    opened = await easel.ask_plain("history", job=record.id)
    shown = await press(easel.alice, opened.response, label="U1")
    assert shown.ephemeral
    assert len(easel.messages()) == 1


async def test_v_varies_that_picture(easel):
    result = await sheet(easel, seed=5)
    parent = await easel.only_job()
    await press(easel.alice, result.response, label="V3")
    child = await child_of(easel)
    varied = {name: child.params[name] for name in ("seed", "variation_strength", "batch")}
    assert varied == {"seed": 7, "variation_strength": 0.5, "batch": 4}
    assert child.parent == parent.id


async def test_a_single_picture_leads_on_from_itself(easel):
    result = await sheet(easel, seed=5)
    record = await easel.only_job()
    shown = await press(easel.alice, result.response, label="U2")
    await easel.restart()
    await press(easel.alice, shown.response, label="Upscale 2×")
    assert (await child_of(easel)).inputs == {"image": record.result["pictures"][1]["key"]}


async def test_editing_a_single_picture_keeps_its_seed_and_makes_one(easel):
    result = await sheet(easel, seed=5)
    single = await press(easel.alice, result.response, label="U4")
    form = await press(easel.alice, single.response, label="Edit")
    assert "strength" in inputs(form.modal)
    await easel.alice.submit_modal(form, filled_in(form, prompt="a pear"))
    child = await child_of(easel)
    assert (child.params["seed"], child.params["batch"]) == (8, 1)


async def test_the_parameters_are_those_of_the_picture(easel):
    result = await sheet(easel, seed=5)
    single = await press(easel.alice, result.response, label="U2")
    pressed = await press(easel.bob, single.response, label="Parameters")
    assert "Seed: 1" in pressed.response.content


async def test_u_and_v_live_on_after_a_restart(easel):
    result = await sheet(easel)
    await easel.restart()
    shown = await press(easel.alice, result.response, label="U1")
    assert len(shown.response.attachments) == 1
    await press(easel.alice, result.response, label="V1")
    assert await easel.count() == 2


@pytest.mark.parametrize("label", ["U1", "V1"])
async def test_somebody_elses_sheet_is_not_for_me(easel, label):
    result = await sheet(easel)
    pressed = await press(easel.bob, result.response, label=label)
    assert pressed.ephemeral
    assert "Ask for one of your own" in pressed.response.content


async def test_a_picture_that_is_swept_away(easel):
    result = await sheet(easel)
    record = await easel.only_job()
    await easel.blobs.delete_blob(record.result["pictures"][1]["key"])
    pressed = await press(easel.alice, result.response, label="U2")
    assert pressed.ephemeral
    assert "no longer stored" in pressed.response.content


async def test_one_picture_is_no_sheet(easel):
    result = await sheet(easel, 1)
    (file,) = result.response.attachments
    with Image.open(io.BytesIO(await file.read())) as image:
        assert image.size == (384, 288)
    assert "U1" not in labels(result.response)
