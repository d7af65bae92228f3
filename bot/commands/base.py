"""What every cog shares: the bot, and completions from what the workers can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.guilds import GuildSettings, is_model_allowed
from bot.guilds.member_preferences import styles_and_loras
from bot.i18n import translate, translate_external
from bot.i18n.message import gettext_noop
from bot.messages.lineage import job_choices
from bot.requests.options import Autocomplete
from bot.views import client_of
from storage.records import JobState

if TYPE_CHECKING:
    from bot.client import EaselBot

MAX_CHOICES = 25  # Discord's limit for completions
ENDED_STATES = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
MAX_SEARCHED_JOBS = 100  # jobs of one member that are searched
MAX_CHOICE_CHARS = 100  # characters of one


class EaselCog(commands.Cog):
    """A cog of this bot."""

    def __init__(self, bot: EaselBot) -> None:
        self.bot = bot


def autocomplete_models(*kinds: str, everything: bool = False) -> Autocomplete:
    """Complete names of what the workers have of these kinds, best matches first.

    What the server does not allow is left out, unless `everything` is asked for.
    """

    async def complete_models(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        client = client_of(interaction)
        guild = None if interaction.guild_id is None else str(interaction.guild_id)
        rules = GuildSettings() if everything else await client.gate.guild_settings(guild)
        descriptions = {
            model.name: translate_external(model.about)
            for worker in client.service.worker_statuses
            for model in worker.models
            if model.kind in kinds and is_model_allowed(rules, model.kind, model.name)
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
    records = await client_of(interaction).jobs.list_by_owner(
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
        shape_text: translate(description) for shape_text, description in MASK_EXAMPLES.items()
    }
    return [
        app_commands.Choice(name=_choice_label(shape_text, masks[shape_text]), value=shape_text)
        for shape_text in filter_choices(masks, current)
    ]


STYLE_OPTION = {"style": "A style of yours or the server's, or a LoRA, put around the prompt"}
OPTION_AUTOCOMPLETES = {
    "model": autocomplete_models("diffusion"),
    "upscaler": autocomplete_models("upscaler"),
    "style": styles_and_loras,
    "mask_shape": suggest_masks,
}
"""Completions of the options that have a language of their own, or name what workers must have."""
