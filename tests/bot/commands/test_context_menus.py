"""The Apps menu of a message: every entry, on every way in which a message shows a picture."""

from __future__ import annotations

import io

import discord
import pytest

from bot.commands.context_menus import MENU_CALLBACKS
from tests.doubles.cards import press
from tests.doubles.forms import filled_in
from tests.doubles.images import encoded, noise, png


async def child(easel):
    return await easel.jobs.reader.get_job(easel.service.job.job_id)


async def says(easel, **how):
    """A message of the bot's own that is no result."""
    channel = easel.bot.get_channel(easel.channel.id)
    message = await channel.send(**how)
    await easel.env.settle()
    return message


def upload(data: bytes = b"", name: str = "a.png") -> discord.File:
    return discord.File(io.BytesIO(data or png(colour="green")), name)


@pytest.mark.parametrize(("name", "kind"), [("Describe", "interrogate"), ("Upscale 2×", "upscale")])
async def test_one_click_is_enough(easel, name, kind):
    message = await easel.posted(("photo.png", png()))
    result = await easel.menu(name, message)
    job = await child(easel)
    assert (kind, str(easel.alice.id), None) == (job.kind, job.owner, job.parent)
    await easel.finish(text="a cat")
    assert not result.ephemeral


async def test_edit_asks_how(easel):
    message = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Edit…", message)
    await easel.alice.submit_modal(shown, {"prompt": "a watercolour", "strength": "0.5"})
    job = await child(easel)
    assert (job.kind, job.params["prompt"], job.params["strength"]) == (
        "img2img",
        "a watercolour",
        0.5,
    )


async def test_inpaint_takes_a_mask_from_the_form(easel):
    message = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Inpaint…", message)
    mask = ("mask.png", png(colour="white"))
    await easel.alice.submit_modal(shown, {"mask": mask, "prompt": "a hat"})
    assert set(easel.service.job.inputs) == {"image", "mask"}


async def test_inpaint_takes_words(easel):
    message = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Inpaint…", message)
    await easel.alice.submit_modal(shown, {"mask_shape": "left 30%", "prompt": "a hat"})
    job = await child(easel)
    assert (set(job.inputs), job.params["mask_shape"]) == ({"image"}, "left 30%")


async def test_a_file_in_a_form_that_is_no_picture(easel):
    message = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Inpaint…", message)
    sent = await easel.alice.submit_modal(shown, {"mask": ("mask.txt", b"words")})
    assert sent.ephemeral
    assert "is not a picture" in sent.response.content
    assert await easel.count() == 0


async def test_a_result_of_our_own_becomes_the_parent(easel):
    result = await easel.ask()
    await easel.finish()
    parent = await easel.only_job()
    await easel.menu("Describe", result.response.message, easel.bob)
    assert (await child(easel)).parent == parent.id


async def test_a_form_left_empty_is_a_grid_on_which_to_choose_or_draw(easel_with_page):
    easel = easel_with_page
    message = await easel.posted(("photo.png", png()))
    shown = await easel.menu("Inpaint…", message)
    grid = await easel.alice.submit_modal(shown, filled_in(shown))
    await easel.finish()
    job = await easel.only_job()
    assert (job.kind, job.params["show"]) == ("preview", "grid")
    opened = await press(easel.alice, grid.response, label="Draw")
    assert opened.ephemeral
    assert "thirty minutes and one repaint" in opened.response.content


async def test_of_several_pictures_the_first(easel):
    message = await easel.posted(("a.png", png()), ("b.png", png()))
    result = await easel.menu("Describe", message)
    assert "Used the first of its 2 pictures." in result.response.content


async def test_a_picture_in_an_embed(easel):
    embed = discord.Embed(title="look").set_image(url="attachment://a.png")
    message = await says(easel, embed=embed, file=upload())
    await easel.menu("Describe", message)
    assert (await child(easel)).kind == "interrogate"


async def test_a_picture_in_a_gallery(easel):
    class Gallery(discord.ui.LayoutView):
        box = discord.ui.Container(
            discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png"))
        )

    message = await says(easel, view=Gallery(), file=upload())
    await easel.menu("Describe", message)
    assert (await child(easel)).kind == "interrogate"


async def test_a_picture_in_a_forwarded_message(easel):
    photo = await easel.posted(("photo.png", png()))
    forwarded = await easel.bob.forward(photo, easel.channel)
    await easel.menu("Describe", forwarded)
    job = await child(easel)
    assert (job.kind, job.parent) == ("interrogate", None)


async def test_a_picture_on_a_strangers_server_is_not_fetched(easel):
    embed = discord.Embed().set_image(url="https://169.254.169.254/latest/a.png")
    message = await says(easel, embed=embed)
    result = await easel.menu("Describe", message)
    assert "shows no picture" in result.response.content


@pytest.mark.parametrize("name", [name for name, _ in MENU_CALLBACKS])
async def test_a_message_without_a_picture(easel, name):
    message = await easel.posted(("notes.txt", b"words"))
    result = await easel.menu(name, message)
    assert result.ephemeral
    assert "shows no picture" in result.response.content
    assert await easel.count() == 0


async def test_a_picture_that_is_broken(easel):
    message = await easel.posted(("a.jpg", encoded(noise((200, 200)), "JPEG")[:3000]))
    result = await easel.menu("Describe", message)
    (refusal,) = result.followups
    assert refusal.ephemeral
    assert "is damaged" in refusal.content


async def test_parameters_of_a_picture_that_was_generated(easel):
    result = await easel.ask(prompt="a red apple")
    await easel.finish()
    shown = await easel.menu("Parameters", result.response.message, easel.bob)
    assert shown.ephemeral
    assert "a red apple\nSteps: 20" in shown.response.content


async def test_parameters_of_a_photograph(easel):
    shown = await easel.menu("Parameters", await easel.posted(("photo.png", png())))
    assert shown.ephemeral
    assert "says nothing about how it was made" in shown.response.content


def test_discord_py_takes_no_more_than_five():
    assert len(MENU_CALLBACKS) <= 5
    assert all(1 <= len(name) <= 32 for name, _ in MENU_CALLBACKS)
