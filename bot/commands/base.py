"""What every cog shares: the services, and completions from what the workers can run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import ImageRejected, UserError
from bot.guilds import is_model_allowed
from bot.i18n import option_name, translate, translate_notice
from bot.i18n.command_mentions import plain_commands
from bot.i18n.message import gettext_noop
from bot.messages import options_title
from bot.messages.error_replies import answer_error, is_correctable, unwrap_error
from bot.messages.lineage import job_choices
from bot.requests.editing import count_references
from bot.requests.more_options import describe_bounds, parse_more_options
from bot.requests.options import Autocomplete, split_attachments
from bot.services import Services, services_of
from bot.views.base import MAX_SEARCHED_JOBS
from bot.views.forms import (
    FIXED_OPTIONS,
    FORM_OPTIONS,
    MAX_NAMED_INPUTS,
    FixFormView,
    FormValues,
    JobModal,
    build_job_form,
)
from inference.api.errors import JobError
from inference.api.jobs import Job, list_job_options
from inference.api.jobs.control import CONTROL_KIND
from inference.api.messages import (
    COLOURISER_KIND,
    FACE_RESTORER_KIND,
    REFINER_ROLE,
)
from storage.records import JobState

MAX_CHOICES = 25  # Discord's limit for completions
ENDED_STATES = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
MAX_CHOICE_CHARS = 100  # characters of one


class EaselCog(commands.Cog):
    """Base of every cog: it holds the services."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def submit_command(
        self,
        interaction: discord.Interaction[Any],
        job_type: type[Job],
        option_values: Mapping[str, Any],
    ) -> None:
        """Queue a job; what is wrong with its options can be mended in a form that holds them."""
        try:
            await self.services.submitter.submit_command(interaction, job_type, option_values)
        except Exception as error:
            if not is_correctable(error):
                raise
            make_form = partial(self._build_correction, job_type, option_values, error)
            view = FixFormView(make_form, gettext_noop("Edit"))
            await answer_error(interaction, error, view)

    def _build_correction(
        self, job_type: type[Job], option_values: Mapping[str, Any], error: Exception
    ) -> JobModal:
        attachments, values = split_attachments(option_values)
        style, more_text = values.pop("style", None), values.pop("more", "")
        fixed_values = {name: values[name] for name in FIXED_OPTIONS if name in values}
        written_texts: dict[str, str] = {}
        try:
            values = {**parse_more_options(job_type, more_text), **values}
        except (UserError, JobError):
            written_texts["more"] = more_text

        async def submit_corrected(
            answer: discord.Interaction[Any], _job: Job, form_values: FormValues
        ) -> None:
            new_arguments = {
                **attachments,
                **form_values.files,
                **form_values.values,
                **fixed_values,
            }
            await self.services.submitter.submit_command(
                answer, job_type, {**new_arguments, "style": style}
            )

        files = _images_to_exchange(job_type, error)
        return build_job_form(
            translate("Edit this {kind}", kind=options_title(job_type.kind, fixed_values)),
            job_type,
            submit_corrected,
            values,
            names=FORM_OPTIONS[job_type.kind][: MAX_NAMED_INPUTS - len(files)],
            files=files,
            written_texts=written_texts,
        )


def _images_to_exchange(job_type: type[Job], error: BaseException) -> tuple[str, ...]:
    """Name the picture that was refused, if one was."""
    cause = unwrap_error(error)
    image_names = (*job_type.optional_images, *job_type.required_images)
    if isinstance(cause, JobError):
        return tuple(name for name in image_names if name == cause.field)
    return job_type.required_images if isinstance(cause, ImageRejected) else ()


def autocomplete_models(*kinds: str, everything: bool = False, edits: bool = False) -> Autocomplete:
    """Complete names of what the workers have of these kinds, best matches first.

    What the server does not allow is left out, unless `everything` is asked for; of what `edits` by
    instructions all else.
    """

    async def complete_models(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        services = services_of(interaction)
        guild_id = None if everything else interaction.guild_id
        settings = await services.policy.guild_settings(guild_id)
        descriptions = {
            model.name: translate_notice(model.about)
            for worker in services.workers.worker_statuses
            for model in worker.models
            if model.kind in kinds and is_model_allowed(settings, model.kind, model.name)
            if everything or model.role != REFINER_ROLE
            if not edits or count_references(model)
        }
        return [
            app_commands.Choice(name=_choice_label(name, descriptions[name]), value=name)
            for name in filter_choices(descriptions, current)
            if len(name) <= MAX_CHOICE_CHARS
        ]

    return complete_models


def filter_choices(names: dict[str, str], query: str) -> list[str]:
    """Return at most 25 names that contain what was typed, those that begin with it first."""
    query = query.casefold().strip()
    hits = [name for name in names if query in f"{name} {names[name]}".casefold()]
    hits.sort(key=lambda name: (not name.casefold().startswith(query), name.casefold()))
    return hits[:MAX_CHOICES]


def _choice_label(name: str, description: str) -> str:
    return (f"{name} – {description}" if description else name)[:MAX_CHOICE_CHARS]


async def ended_jobs(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the member's own jobs that ended, newest first."""
    records = await services_of(interaction).jobs.reader.list_by_owner(
        str(interaction.user.id), states=ENDED_STATES, limit=MAX_SEARCHED_JOBS
    )
    labels = job_choices(records)
    query = current.casefold().strip()
    hits = [id for id, label in labels.items() if query in f"{id} {label}".casefold()]
    return [
        app_commands.Choice(name=labels[id][:MAX_CHOICE_CHARS], value=id)
        for id in hits[:MAX_CHOICES]
    ]


MASK_EXAMPLES = {
    "subject": gettext_noop("what stands out"),
    "background": gettext_noop("all but what stands out"),
    "face": gettext_noop("every face"),
    "left 30%": gettext_noop("a strip of the left, right, top or bottom"),
    "circle 50% 40% r20%": gettext_noop("a circle: middle across and down, radius"),
    "rect 10% 10% 60% 50%": gettext_noop("a rectangle: left, top, right, bottom"),
    "B2-D4": gettext_noop("cells of the grid that /mask grid shows"),
    "all - face": gettext_noop("shapes and things add up with + and come off with -"),
}
"""Masks in words to begin with."""


async def suggest_masks(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete a mask in words: examples, until what was typed is none of them."""
    masks = {
        shape_text: plain_commands(translate(description))
        for shape_text, description in MASK_EXAMPLES.items()
    }
    return [
        app_commands.Choice(name=_choice_label(shape_text, masks[shape_text]), value=shape_text)
        for shape_text in filter_choices(masks, current)
    ]


async def style_names(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, the member's own first."""
    return _style_choices(dict.fromkeys(await _available_names(interaction), ""), current)


async def styles_and_loras(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the styles at hand, then the LoRAs that may be used."""
    services = services_of(interaction)
    settings = await services.policy.guild_settings(interaction.guild_id)
    tags = {
        f"<lora:{model.name}:1>": f"LoRA {model.name}"
        for worker in services.workers.worker_statuses
        for model in worker.models
        if model.kind == "lora" and is_model_allowed(settings, model.kind, model.name)
    }
    return _style_choices(dict.fromkeys(await _available_names(interaction), "") | tags, current)


async def _available_names(interaction: discord.Interaction[Any]) -> list[str]:
    style_store = services_of(interaction).styles
    member_names = [*await style_store.member_styles(str(interaction.user.id))]
    guild_names = [style.name for style in await style_store.guild_styles(_guild_id(interaction))]
    return list(dict.fromkeys([*member_names, *guild_names]))


def _guild_id(interaction: discord.Interaction[Any]) -> str | None:
    return None if interaction.guild_id is None else str(interaction.guild_id)


def _style_choices(names: Mapping[str, str], typed_text: str) -> list[app_commands.Choice[str]]:
    """Offer what holds the letters typed, under its own name where no other is given."""
    labels = {name: words or name for name, words in names.items() if len(name) <= MAX_CHOICE_CHARS}
    hits = [name for name, words in labels.items() if typed_text.casefold() in words.casefold()]
    return [app_commands.Choice(name=labels[name], value=name) for name in hits[:MAX_CHOICES]]


def autocomplete_more(job_type: type[Job], shown_names: Collection[str]) -> Autocomplete:
    """Complete the names of the options that have no slash option of their own.

    What was written before the last name stays in front.
    """
    hidden_options = [
        option for option in list_job_options(job_type) if option.name not in shown_names
    ]

    async def complete_more(
        _interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        written_text, separator, query = current.rpartition(",")
        written_text = f"{written_text}{separator} " if separator else ""
        if ":" in query:
            return _named_choices({current: current.strip()})
        labels = {
            f"{written_text}{option_name(option.name)}: ": (
                f"{written_text}{option_name(option.name)}: – {describe_bounds(option)}"
            )
            for option in hidden_options
            if query.strip().casefold() in f"{option.name} {option_name(option.name)}".casefold()
        }
        return _named_choices(labels)

    return complete_more


def _named_choices(labels: Mapping[str, str]) -> list[app_commands.Choice[str]]:
    return [
        app_commands.Choice(name=label[:MAX_CHOICE_CHARS], value=value)
        for value, label in labels.items()
        if label and len(value) <= MAX_CHOICE_CHARS
    ][:MAX_CHOICES]


MORE_OPTION = {"more": "Any other option, as clip_skip: 2, rng: NV; type a name to see what it is"}
STYLE_OPTION = {"style": "A style of yours or the server's, or a LoRA, put around the prompt"}
OPTION_AUTOCOMPLETES = {
    "model": autocomplete_models("diffusion"),
    "upscaler": autocomplete_models("upscaler"),
    "restore_faces": autocomplete_models(FACE_RESTORER_KIND),
    "colourise": autocomplete_models(COLOURISER_KIND),
    "control_model": autocomplete_models(CONTROL_KIND),
    "style": styles_and_loras,
    "mask_shape": suggest_masks,
}
"""Completions of the options that have a language of their own, or name what workers must have."""
