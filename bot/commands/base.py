"""What every cog shares: the bot, and completions from what the workers can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.locales import heard, say
from bot.options import Autocomplete
from bot.policy import Rules, allows
from bot.sentences import english
from bot.styles import styles_and_loras
from bot.texts.lineage import offered
from bot.views import client_of
from storage.records import JobState

if TYPE_CHECKING:
    from bot.client import Easel

MAX_CHOICES = 25  # Discord's limit for completions
ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
MAX_SEARCHED = 100  # jobs of one member that are searched
MAX_CHOICE = 100  # characters of one


class EaselCog(commands.Cog):
    """A cog of this bot."""

    def __init__(self, bot: Easel) -> None:
        self.bot = bot


def completion(*kinds: str, everything: bool = False) -> Autocomplete:
    """Complete names of what the workers have of these kinds, best matches first.

    What the server does not allow is left out, unless `everything` is asked for.
    """

    async def complete(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        client = client_of(interaction)
        guild = None if interaction.guild_id is None else str(interaction.guild_id)
        rules = Rules() if everything else await client.gate.rules(guild)
        found = {
            model.name: heard(model.about)
            for worker in client.service.workers
            for model in worker.models
            if model.kind in kinds and allows(rules, model.kind, model.name)
        }
        return [
            app_commands.Choice(name=_shown(name, found[name]), value=name)
            for name in matching(found, current)
            if len(name) <= MAX_CHOICE
        ]

    return complete


def matching(names: dict[str, str], typed: str) -> list[str]:
    """Return at most 25 names that contain what was typed, those that begin with it first."""
    typed = typed.casefold().strip()
    hits = [name for name in names if typed in f"{name} {names[name]}".casefold()]
    hits.sort(key=lambda name: (not name.casefold().startswith(typed), name.casefold()))
    return hits[:MAX_CHOICES]


def _shown(name: str, about: str) -> str:
    return (f"{name} – {about}" if about else name)[:MAX_CHOICE]


async def ended_jobs(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the member's own jobs that ended, newest first."""
    records = await client_of(interaction).jobs.list_for(
        str(interaction.user.id), states=ENDED, limit=MAX_SEARCHED
    )
    found = offered(records)
    typed = current.casefold().strip()
    hits = [id for id, words in found.items() if typed in f"{id} {words}".casefold()]
    return [app_commands.Choice(name=found[id][:MAX_CHOICE], value=id) for id in hits[:MAX_CHOICES]]


MASKS = {
    "subject": english("what stands out"),
    "background": english("all but what stands out"),
    "face": english("every face"),
    "left 30%": english("a strip of the left, right, top or bottom"),
    "circle 50% 40% r20%": english("a circle: middle across and down, radius"),
    "rect 10% 10% 60% 50%": english("a rectangle: left, top, right, bottom"),
    "B2-D4": english("cells of the grid that /mask grid shows"),
    "all - face": english("shapes and things add up with + and come off with -"),
}
"""Masks in words to begin with."""


async def mask_words(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete a mask in words: examples, until what was typed is none of them."""
    masks = {words: say(about) for words, about in MASKS.items()}
    return [
        app_commands.Choice(name=_shown(words, masks[words]), value=words)
        for words in matching(masks, current)
    ]


STYLE = {"style": "A style of yours or the server's, or a LoRA, put around the prompt"}
MODELS = {
    "model": completion("diffusion"),
    "upscaler": completion("upscaler"),
    "style": styles_and_loras,
    "mask_shape": mask_words,
}
"""Completions of the options that have a language of their own, or name what workers must have."""
