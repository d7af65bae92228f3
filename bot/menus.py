"""The Apps menu of any message: work on the picture that it shows, whoever sent it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands

from bot.locales import say
from bot.requests import InteractionRequest
from bot.shown import first_picture, job_of, pictures_in
from bot.sources import Attached, Source
from bot.views import client_of
from bot.views.forms import Filled, JobForm
from bot.views.recall import offer_again
from bot.views.results import EDITED, default_upscaler, send_block
from inference.jobs import Img2Img, Inpaint, Interrogate, Job, Upscale

INPAINTED = ("prompt", "mask_shape", "strength", "steps")

Menu = Callable[[discord.Interaction[Any], discord.Message], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Target:
    """The picture of a message, and the job it came from if it is one of Easel's own."""

    picture: Source
    notes: tuple[str, ...]
    parent: str | None

    @classmethod
    def of(cls, interaction: discord.Interaction[Any], message: discord.Message) -> Target:
        """Find the picture that is meant.

        Raises:
            NoPictureThere: the message shows none.
        """
        client = client_of(interaction)
        sources = pictures_in(message, client.http.get_from_cdn, client.picture_hosts)
        picture, notes = first_picture(sources)
        own = client.user is not None and message.author.id == client.user.id
        return cls(picture, notes, job_of(message) if own else None)

    async def order(self, interaction: discord.Interaction[Any], job: Job, **more: Source) -> None:
        """Queue a job on it."""
        await client_of(interaction).desk.order(
            InteractionRequest(interaction),
            job,
            {"image": self.picture, **more},
            parent=self.parent,
            notes=self.notes,
        )


async def describe(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Describe the picture in words."""
    await Target.of(interaction, message).order(interaction, Interrogate())


async def upscale(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Enlarge the picture."""
    upscaler = default_upscaler(client_of(interaction).service.workers)
    await Target.of(interaction, message).order(interaction, Upscale(upscaler=upscaler))


async def edit(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Ask how to repaint the picture."""
    target = Target.of(interaction, message)

    async def submit(answer: discord.Interaction[Any], filled: Filled) -> None:
        await target.order(answer, Img2Img(**filled.values))

    title = say("Repaint this picture")
    filled = await client_of(interaction).gate.filled(interaction.guild_id, Img2Img, {})
    form = JobForm(title, Img2Img, EDITED, submit, filled=filled)
    await interaction.response.send_modal(form)


async def inpaint(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Ask where and how to repaint a part of the picture."""
    target = Target.of(interaction, message)

    async def submit(answer: discord.Interaction[Any], filled: Filled) -> None:
        masks = {name: Attached(file) for name, file in filled.files.items()}
        await target.order(answer, Inpaint(**filled.values), **masks)

    title = say("Repaint a part of it")
    filled = await client_of(interaction).gate.filled(interaction.guild_id, Inpaint, {})
    form = JobForm(title, Inpaint, INPAINTED, submit, filled=filled, file="mask")
    await interaction.response.send_modal(form)


async def parameters(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Show what the picture's file says about its making, to the member alone."""
    target = Target.of(interaction, message)
    reader = client_of(interaction).reader
    await target.picture.look(reader)
    await interaction.response.defer(ephemeral=True, thinking=True)
    data = await target.picture.raw(reader)
    found = await reader.parameters(data)
    words = found or say(
        "That picture's file says nothing about how it was made: it is no generated picture, or "
        "what it said was removed on its way. Apps → *Describe* tells what it shows."
    )
    told = await reader.making(data)
    if found or told is None:
        await send_block(interaction, words, "parameters.txt", as_block=bool(found))
    if told is not None:
        await offer_again(interaction, told)


MENUS: tuple[tuple[str, Menu], ...] = (
    ("Describe", describe),
    ("Upscale 2×", upscale),
    ("Edit…", edit),
    ("Inpaint…", inpaint),
    ("Parameters", parameters),
)
"""Discord's menu names and what they do; discord.py takes at most 5."""


def make_menus() -> list[app_commands.ContextMenu]:
    """Make the entries for a command tree."""
    return [app_commands.ContextMenu(name=name, callback=menu) for name, menu in MENUS]
