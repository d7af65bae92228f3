"""The Apps menu of a message: every entry, on every way in which a message shows a picture."""

from __future__ import annotations

import io

import discord
import pytest

from bot.commands.context_menus import MENU_CALLBACKS
from tests.doubles.images import encoded, noise, png


async def child(house):
    return await house.jobs.reader.get_job(house.service.job.job_id)


async def says(house, **how):
    """A message of the bot's own that is no result."""
    channel = house.bot.get_channel(house.channel.id)
    message = await channel.send(**how)
    await house.env.settle()
    return message


def upload(data: bytes = b"", name: str = "a.png") -> discord.File:
    return discord.File(io.BytesIO(data or png(colour="green")), name)


@pytest.mark.parametrize(("name", "kind"), [("Describe", "interrogate"), ("Upscale 2×", "upscale")])
async def test_one_click_is_enough(house, name, kind):
    message = await house.posted(("photo.png", png()))
    result = await house.menu(name, message)
    job = await child(house)
    assert (kind, str(house.alice.id), None) == (job.kind, job.owner, job.parent)
    await house.finish(text="a cat")
    assert not result.ephemeral


async def test_edit_asks_how(house):
    message = await house.posted(("photo.png", png()))
    shown = await house.menu("Edit…", message)
    await house.alice.submit_modal(shown, {"prompt": "a watercolour", "strength": "0.5"})
    job = await child(house)
    assert (job.kind, job.params["prompt"], job.params["strength"]) == (
        "img2img",
        "a watercolour",
        0.5,
    )


async def test_inpaint_takes_a_mask_from_the_form(house):
    message = await house.posted(("photo.png", png()))
    shown = await house.menu("Inpaint…", message)
    mask = ("mask.png", png(colour="white"))
    await house.alice.submit_modal(shown, {"mask": mask, "prompt": "a hat"})
    assert set(house.service.job.inputs) == {"image", "mask"}


async def test_inpaint_takes_words(house):
    message = await house.posted(("photo.png", png()))
    shown = await house.menu("Inpaint…", message)
    await house.alice.submit_modal(shown, {"mask_shape": "left 30%", "prompt": "a hat"})
    job = await child(house)
    assert (set(job.inputs), job.params["mask_shape"]) == ({"image"}, "left 30%")


async def test_a_file_in_a_form_that_is_no_picture(house):
    message = await house.posted(("photo.png", png()))
    shown = await house.menu("Inpaint…", message)
    sent = await house.alice.submit_modal(shown, {"mask": ("mask.txt", b"words")})
    assert sent.ephemeral
    assert "is not a picture" in sent.response.content
    assert await house.count() == 0


async def test_a_result_of_our_own_becomes_the_parent(house):
    result = await house.ask()
    await house.finish()
    parent = await house.only_job()
    await house.menu("Describe", result.response.message, house.bob)
    assert (await child(house)).parent == parent.id


async def test_of_several_pictures_the_first(house):
    message = await house.posted(("a.png", png()), ("b.png", png()))
    result = await house.menu("Describe", message)
    assert "Used the first of its 2 pictures." in result.response.content


async def test_a_picture_in_an_embed(house):
    embed = discord.Embed(title="look").set_image(url="attachment://a.png")
    message = await says(house, embed=embed, file=upload())
    await house.menu("Describe", message)
    assert (await child(house)).kind == "interrogate"


async def test_a_picture_in_a_gallery(house):
    class Gallery(discord.ui.LayoutView):
        box = discord.ui.Container(
            discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png"))
        )

    message = await says(house, view=Gallery(), file=upload())
    await house.menu("Describe", message)
    assert (await child(house)).kind == "interrogate"


async def test_a_picture_in_a_forwarded_message(house):
    photo = await house.posted(("photo.png", png()))
    forwarded = await house.bob.forward(photo, house.channel)
    await house.menu("Describe", forwarded)
    job = await child(house)
    assert (job.kind, job.parent) == ("interrogate", None)


async def test_a_picture_on_a_strangers_server_is_not_fetched(house):
    embed = discord.Embed().set_image(url="https://169.254.169.254/latest/a.png")
    message = await says(house, embed=embed)
    result = await house.menu("Describe", message)
    assert "shows no picture" in result.response.content


@pytest.mark.parametrize("name", [name for name, _ in MENU_CALLBACKS])
async def test_a_message_without_a_picture(house, name):
    message = await house.posted(("notes.txt", b"words"))
    result = await house.menu(name, message)
    assert result.ephemeral
    assert "shows no picture" in result.response.content
    assert await house.count() == 0


async def test_a_picture_that_is_broken(house):
    message = await house.posted(("a.jpg", encoded(noise((200, 200)), "JPEG")[:3000]))
    result = await house.menu("Describe", message)
    (refusal,) = result.followups
    assert refusal.ephemeral
    assert "is damaged" in refusal.content


async def test_parameters_of_a_picture_that_was_generated(house):
    result = await house.ask(prompt="a red apple")
    await house.finish()
    shown = await house.menu("Parameters", result.response.message, house.bob)
    assert shown.ephemeral
    assert "a red apple\nSteps: 20" in shown.response.content


async def test_parameters_of_a_photograph(house):
    shown = await house.menu("Parameters", await house.posted(("photo.png", png())))
    assert shown.ephemeral
    assert "says nothing about how it was made" in shown.response.content


def test_discord_py_takes_no_more_than_five():
    assert len(MENU_CALLBACKS) <= 5
    assert all(1 <= len(name) <= 32 for name, _ in MENU_CALLBACKS)
