"""The Apps menu of any message: work on the picture that it shows, whoever sent it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands

from bot.i18n import translate
from bot.requests.editing import fill_edit_values, find_editing_model
from bot.requests.fetching import fetcher_of
from bot.requests.image_sources import (
    AttachmentSource,
    ImageSource,
    first_image,
    images_in_message,
    job_id_of_message,
    stored_images_of,
)
from bot.requests.job_check import default_upscaler, list_ready_models
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.forms import FormValues, build_job_form
from bot.views.imported_job import offer_imported_job
from bot.views.results import send_text
from inference.api.jobs import (
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    Job,
    PreviewJob,
    UpscaleJob,
)

INPAINT_FORM_FIELDS = ("prompt", "mask_shape", "strength")

Menu = Callable[[discord.Interaction[Any], discord.Message], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class ImageTarget:
    """The picture of a message, and the job it came from if it is one of Easel's own."""

    image: ImageSource
    notes: tuple[str, ...]
    parent: str | None

    @classmethod
    async def from_message(
        cls, interaction: discord.Interaction[Any], message: discord.Message
    ) -> ImageTarget:
        """Find the picture that is meant.

        Raises:
            NoImageInMessage: the message shows none.
        """
        client, services = interaction.client, services_of(interaction)
        is_own_message = client.user is not None and message.author.id == client.user.id
        sources: list[ImageSource] = []
        if is_own_message:
            guild = None if interaction.guild_id is None else str(interaction.guild_id)
            sources = await stored_images_of(message, services.jobs, services.blobs, guild)
        image, notes = first_image(
            sources or images_in_message(message, fetcher_of(client), services.image_hosts)
        )
        return cls(image, notes, job_id_of_message(message) if is_own_message else None)

    async def submit_image_job(
        self, interaction: discord.Interaction[Any], job: Job, **extra_sources: ImageSource
    ) -> None:
        """Queue a job on it."""
        await services_of(interaction).submitter.submit_job(
            InteractionRequest(interaction),
            job,
            {"image": self.image, **extra_sources},
            parent=self.parent,
            notes=self.notes,
        )


async def describe_image(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Describe the picture in words."""
    target = await ImageTarget.from_message(interaction, message)
    await target.submit_image_job(interaction, InterrogateJob())


async def upscale_image(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Enlarge the picture."""
    upscaler = default_upscaler(services_of(interaction).workers.worker_statuses)
    target = await ImageTarget.from_message(interaction, message)
    await target.submit_image_job(interaction, UpscaleJob(upscaler=upscaler))


async def open_edit_form(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Ask how to repaint the picture; by an instruction, where a model for that is there."""
    target = await ImageTarget.from_message(interaction, message)
    services = services_of(interaction)
    settings = await services.policy.guild_settings(interaction.guild_id)
    editor = find_editing_model(list_ready_models(services.workers), settings)

    async def submit_edit(
        answer: discord.Interaction[Any], job: Job, _form_values: FormValues
    ) -> None:
        await target.submit_image_job(answer, job)

    title = translate("Edit this picture") if editor else translate("Repaint this picture")
    values = fill_edit_values(Img2ImgJob, {}, editor) if editor else {}
    default_values = services.policy.fill_defaults(settings, Img2ImgJob, values)
    form = build_job_form(title, Img2ImgJob, submit_edit, default_values)
    await interaction.response.send_modal(form)


async def open_inpaint_form(
    interaction: discord.Interaction[Any], message: discord.Message
) -> None:
    """Ask where and how to repaint a part of the picture; nothing said is a grid to choose on."""
    target = await ImageTarget.from_message(interaction, message)

    async def submit_inpaint(
        answer: discord.Interaction[Any], job: Any, form_values: FormValues
    ) -> None:
        masks = {name: AttachmentSource(file) for name, file in form_values.files.items()}
        if not (masks or job.mask_shape.strip() or job.prompt.strip()):
            await target.submit_image_job(answer, PreviewJob(show="grid"))
        else:
            await target.submit_image_job(answer, job, **masks)

    title = translate("Repaint a part of it")
    default_values = await services_of(interaction).policy.fill_guild_defaults(
        interaction.guild_id, InpaintJob, {}
    )
    form = build_job_form(
        title,
        InpaintJob,
        submit_inpaint,
        default_values,
        names=INPAINT_FORM_FIELDS,
        files=("mask",),
    )
    await interaction.response.send_modal(form)


async def show_parameters(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Show what the picture's file says about its making, to the member alone."""
    target = await ImageTarget.from_message(interaction, message)
    decoders = services_of(interaction).decoders
    await target.image.check_available(decoders)
    await interaction.response.defer(ephemeral=True, thinking=True)
    data = await target.image.read_bytes(decoders)
    parameters_text = await decoders.read_generation_text(data)
    words = parameters_text or translate(
        "That picture's file says nothing about how it was made: it is no generated picture, or "
        "what it said was removed on its way. Apps → *Describe* tells what it shows."
    )
    generation_info = await decoders.read_generation_info(data)
    if parameters_text or generation_info is None:
        await send_text(interaction, words, "parameters.txt", as_block=bool(parameters_text))
    if generation_info is not None:
        await offer_imported_job(interaction, generation_info, target.submit_image_job)


MENU_CALLBACKS: tuple[tuple[str, Menu], ...] = (
    ("Describe", describe_image),
    ("Upscale 2×", upscale_image),
    ("Edit…", open_edit_form),
    ("Inpaint…", open_inpaint_form),
    ("Parameters", show_parameters),
)
"""Discord's menu names and what they do; discord.py takes at most 5."""


def make_menus() -> list[app_commands.ContextMenu]:
    """Make the entries for a command tree."""
    return [app_commands.ContextMenu(name=name, callback=menu) for name, menu in MENU_CALLBACKS]
