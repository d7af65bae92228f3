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
from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.errors import UserError
from bot.failures import NOT_THROUGH
from bot.logs import trace
from inference.errors import JobError
from storage.errors import BlobMissing, DiskFull, QueueFull, UnknownJob

log = logging.getLogger(__name__)

ALREADY_ANSWERED = 40060  # Discord's code
SPEAKING = (UserError, JobError, QueueFull, UnknownJob, BlobMissing, DiskFull)
"""Errors whose message was written for members."""


class EaselTree(app_commands.CommandTree[Any]):
    """The command tree whose errors are answered."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everybody in, and let the log know by what: each interaction is a task of its own."""
        trace(str(interaction.id))
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError
    ) -> None:
        """Answer a command that failed."""
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
        return str(cause)
    if isinstance(cause, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        return "This command has just changed. Wait a minute and ask again."
    if isinstance(cause, app_commands.TransformerError):
        return f"{cause.value!r} is not possible there. Pick one of the offered values."
    if isinstance(cause, app_commands.CheckFailure):
        return str(cause) or "You may not use this command here."
    number = secrets.token_hex(4)
    log.error(
        "Incident %s", number, exc_info=cause, extra={"action": "incident", "incident": number}
    )
    return texts.incident(number)


def original(error: BaseException) -> BaseException:
    """Unwrap what discord.py wraps around an error."""
    with contextlib.suppress(AttributeError):
        inner = error.original  # type: ignore[attr-defined]
        if isinstance(inner, BaseException):
            return inner
    return error
