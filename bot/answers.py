"""The one place where errors become words for a member, and the command tree that uses it.

A refusal is always for the member alone. A command answers at once with a public card that says
it is reading; when it must refuse after that, it says why in a message of its own that only the
member sees, and takes the card away. (A deferred answer would not do: the first message after it
*becomes* the answer, as public as the deferral.)
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.errors import BadSettingsFile, PictureRefused, UserError
from bot.failures import NOT_THROUGH
from bot.locales import (
    ENGLISH,
    choice_name,
    counted,
    heard,
    language_of,
    said,
    say,
    speak,
    spoken,
)
from bot.logs import trace
from bot.sentences import OptionName, Sentence, english
from inference.errors import JobError, OutOfRange, PictureMissing, UnknownChoice
from storage.errors import BlobMissing, DiskFull, QueueFull, UnknownJob

log = logging.getLogger(__name__)

ALREADY_ANSWERED = 40060  # Discord's code
SPEAKING = (UserError, JobError, QueueFull, UnknownJob, BlobMissing, DiskFull)
"""Errors whose message was written for members."""

WHOSE_QUEUE = {
    "owner": english("You already have {jobs}, and the limit is {limit}. {wait}"),
    "guild": english("This server already has {jobs}, and the limit is {limit}. {wait}"),
    "total": english("The queue already holds {jobs}, and the limit is {limit}. {wait}"),
}
"""By whose limit it is full."""


class EaselTree(app_commands.CommandTree[Any]):
    """The command tree whose errors are answered."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everybody in, answered in their language: each interaction is a task of its own."""
        begin(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError
    ) -> None:
        """Answer a command that failed."""
        await answer_error(interaction, error)


def begin(interaction: discord.Interaction[Any]) -> None:
    """Let the log know by what this task was started, and speak as the member's Discord does."""
    trace(str(interaction.id))
    speak(language_of(interaction.locale))


@contextlib.asynccontextmanager
async def answering(interaction: discord.Interaction[Any]) -> AsyncIterator[None]:
    """Begin with what a member pressed or picked, and answer what goes wrong."""
    begin(interaction)
    try:
        yield
    except Exception as error:
        await answer_error(interaction, error)


class Form(discord.ui.Modal):
    """A form that is answered in its member's language, whatever goes wrong."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everybody send it."""
        begin(interaction)
        return True

    async def on_error(  # type: ignore[override]  # as discord.py's own Modal narrows it
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Say what is wrong with what was written."""
        await answer_error(interaction, error)


async def answer_error(interaction: discord.Interaction[Any], error: Exception) -> None:
    """Tell the member why it does not go on, and leave no half answer behind. Never raises."""
    words = words_for(error)
    try:
        if not interaction.response.is_done() and await _answered_first(interaction, words):
            return
        await interaction.followup.send(words, ephemeral=True)
        kind = interaction.response.type
        if kind in (None, discord.InteractionResponseType.channel_message):
            await interaction.delete_original_response()
    except NOT_THROUGH as failure:
        log.warning("A refusal could not be shown: %s", failure, extra={"action": "answer_lost"})


async def _answered_first(interaction: discord.Interaction[Any], words: str) -> bool:
    """Answer for the first time; False where there is an answer whose arrival was never told."""
    try:
        await interaction.response.send_message(words, ephemeral=True)
    except discord.HTTPException as error:
        if error.code != ALREADY_ANSWERED:
            raise
        return False
    return True


def words_for(error: BaseException) -> str:
    """Put an error into words; one that is nobody's fault but ours is logged with a number."""
    cause = original(error)
    if isinstance(cause, SPEAKING):
        return _spoken(cause)
    if isinstance(cause, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        return say("This command has just changed. Wait a minute and ask again.")
    if isinstance(cause, app_commands.TransformerError):
        return say(
            "{value} is not possible there. Pick one of the offered values.",
            value=repr(cause.value),
        )
    if isinstance(cause, app_commands.CheckFailure):
        return str(cause) or say("You may not use this command here.")
    number = secrets.token_hex(4)
    log.error(
        "Incident %s", number, exc_info=cause, extra={"action": "incident", "incident": number}
    )
    return texts.incident(number)


def _spoken(error: BaseException) -> str:
    """Say an error that was written for members, by its class and data where it has some."""
    if spoken() == ENGLISH:
        return str(error)
    match error:
        case BadSettingsFile():
            return "\n".join(error.lines(said))
        case PictureRefused(is_quoted=True):
            return heard(str(error))
        case UserError():
            return str(said(error.sentence))
        case OutOfRange():
            return say(
                "{option} is {value}, but must lie between {low} and {high}.",
                option=OptionName(error.field),
                value=f"{error.value:g}",
                low=f"{error.low:g}",
                high=f"{error.high:g}",
            )
        case UnknownChoice():
            return _unknown(error)
        case PictureMissing():
            return say(
                "{kind} needs the picture “{option}”: attach one.",
                kind=texts.title(error.kind),
                option=OptionName(error.field),
            )
        case QueueFull():
            jobs = counted(error.queued, "1 waiting job", "{count} waiting jobs")
            wait = Sentence("Wait until one has started, or cancel one.")
            if error.wait:
                wait = Sentence(
                    "Wait until one has started, in {wait}, or cancel one.", wait=error.wait
                )
            return say(WHOSE_QUEUE[error.scope], jobs=jobs, limit=error.limit, wait=wait)
        case _:
            return heard(str(error))


def _unknown(error: UnknownChoice) -> str:
    hint = english("Did you mean {names}?") if error.close else english("Use {names}.")
    names = ", ".join(map(choice_name, error.close or error.choices))
    return say(
        "There is no {option} “{value}”. {hint}",
        option=OptionName(error.field),
        value=error.value,
        hint=Sentence(hint, names=names),
    )


def original(error: BaseException) -> BaseException:
    """Unwrap what discord.py wraps around an error."""
    with contextlib.suppress(AttributeError):
        inner = error.original  # type: ignore[attr-defined]
        if isinstance(inner, BaseException):
            return inner
    return error
