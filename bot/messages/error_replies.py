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

from bot import messages
from bot.errors import BadSettingsFile, ImageRejected, NotANumber, UnknownOption, UserError
from bot.i18n import (
    SOURCE_LANGUAGE,
    choice_name,
    current_language,
    set_language,
    translate,
    translate_notice,
    translate_plural,
    translate_value,
)
from bot.i18n.discord_translator import language_of
from bot.i18n.message import OptionName, TranslatableMessage, gettext_noop
from bot.messages.escaping import escape_notice, escape_sentence, escape_value
from bot.support.discord_errors import TRANSPORT_ERRORS
from bot.support.logging import bind_request
from inference.api.errors import ImageMissing, JobError, UnknownChoice
from inference.api.notices import Notice
from storage.errors import BlobMissing, DiskFull, DiskReadOnly, QueueFull, UnknownJob

log = logging.getLogger(__name__)

ALREADY_ANSWERED = 40060  # Discord's code
USER_FACING_ERRORS = (
    UserError,
    JobError,
    QueueFull,
    UnknownJob,
    BlobMissing,
    DiskFull,
    DiskReadOnly,
)
"""Errors whose message was written for members."""

CORRECTABLE_ERRORS = (NotANumber, UnknownOption, ImageRejected, JobError)
"""Errors that other options, or another picture, would mend."""

QUEUE_FULL_TEXTS = {
    "owner": gettext_noop("You already have {jobs}, and the limit is {limit}. {wait}"),
    "guild": gettext_noop("This server already has {jobs}, and the limit is {limit}. {wait}"),
    "total": gettext_noop("The queue already holds {jobs}, and the limit is {limit}. {wait}"),
}
"""By whose limit it is full."""


class EaselTree(app_commands.CommandTree[Any]):
    """The command tree whose errors are answered."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everybody in, answered in their language: each interaction is a task of its own."""
        start_interaction(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError
    ) -> None:
        """Answer a command that failed."""
        await answer_error(interaction, error)


def start_interaction(interaction: discord.Interaction[Any]) -> None:
    """Let the log know by what this task was started, and speak as the member's Discord does."""
    bind_request(str(interaction.id))
    set_language(language_of(interaction.locale))


@contextlib.asynccontextmanager
async def handle_errors(interaction: discord.Interaction[Any]) -> AsyncIterator[None]:
    """Begin with what a member pressed or picked, and answer what goes wrong."""
    start_interaction(interaction)
    try:
        yield
    except Exception as error:
        await answer_error(interaction, error)


class LocalisedModal(discord.ui.Modal):
    """A form that is answered in its member's language, whatever goes wrong."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let everybody send it."""
        start_interaction(interaction)
        return True

    async def on_error(  # type: ignore[override]  # as discord.py's own Modal narrows it
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Say what is wrong with what was written."""
        await answer_error(interaction, error)


def is_correctable(error: BaseException) -> bool:
    """Whether who asked can mend it by changing what was asked."""
    return isinstance(unwrap_error(error), CORRECTABLE_ERRORS)


async def answer_error(
    interaction: discord.Interaction[Any],
    error: Exception,
    view: discord.ui.View = discord.utils.MISSING,
) -> None:
    """Tell the member why it does not go on, and leave no half answer behind. Never raises.

    `view` holds what stands under the words: the way out.
    """
    message = user_message(error)
    try:
        if not interaction.response.is_done() and await _send_first_response(
            interaction, message, view
        ):
            return
        await interaction.followup.send(message, ephemeral=True, view=view)
        kind = interaction.response.type
        if kind in (None, discord.InteractionResponseType.channel_message):
            await interaction.delete_original_response()
    except TRANSPORT_ERRORS as failure:
        log.warning("A refusal could not be shown: %s", failure, extra={"action": "answer_lost"})


async def _send_first_response(
    interaction: discord.Interaction[Any], words: str, view: discord.ui.View
) -> bool:
    """Answer for the first time; False where there is an answer whose arrival was never told."""
    try:
        await interaction.response.send_message(words, ephemeral=True, view=view)
    except discord.HTTPException as error:
        if error.code != ALREADY_ANSWERED:
            raise
        return False
    return True


def user_message(error: BaseException) -> str:
    """Put an error into words; one that is nobody's fault but ours is logged with a number."""
    cause = unwrap_error(error)
    if isinstance(cause, USER_FACING_ERRORS):
        return _translated_message(cause)
    if isinstance(cause, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        return translate("This command has just changed. Wait a minute and ask again.")
    if isinstance(cause, app_commands.TransformerError):
        return translate(
            "{value} is not possible there. Pick one of the offered values.",
            value=escape_value(repr(cause.value)),
        )
    if isinstance(cause, app_commands.CheckFailure):
        return str(cause) or translate("You may not use this command here.")
    number = secrets.token_hex(4)
    log.error(
        "Incident %s", number, exc_info=cause, extra={"action": "incident", "incident": number}
    )
    return messages.internal_error_message(number)


def _translated_message(error: BaseException) -> str:
    """Say an error that was written for members; what strangers chose in it is made harmless."""
    match error:
        case BadSettingsFile():
            return "\n".join(
                error.message_lines(lambda line: str(translate_value(escape_sentence(line))))
            )
        case UserError():
            return str(translate_value(escape_sentence(error.sentence)))
        case UnknownJob():
            return translate_notice(Notice("job.unknown", job=escape_value(error.job)))
        case JobError() if current_language() == SOURCE_LANGUAGE:
            return str(escape_notice(error.notice))
        case _ if current_language() == SOURCE_LANGUAGE:
            return str(error)
        case UnknownChoice():
            return _unknown_choice_message(error)
        case ImageMissing():
            return translate(
                "{kind} needs the picture “{option}”: attach one.",
                kind=messages.kind_title(error.kind),
                option=OptionName(error.field),
            )
        case QueueFull():
            jobs = translate_plural(error.queued, "1 waiting job", "{count} waiting jobs")
            wait = TranslatableMessage("Wait until one has started, or cancel one.")
            if error.wait:
                wait = TranslatableMessage(
                    "Wait until one has started, in {wait}, or cancel one.", wait=error.wait
                )
            return translate(QUEUE_FULL_TEXTS[error.scope], jobs=jobs, limit=error.limit, wait=wait)
        case JobError():
            return translate_notice(escape_notice(error.notice))
        case _:
            return translate_notice(str(error))


def _unknown_choice_message(error: UnknownChoice) -> str:
    hint = gettext_noop("Did you mean {names}?") if error.close else gettext_noop("Use {names}.")
    names = ", ".join(map(choice_name, error.close or error.choices))
    return translate(
        "There is no {option} “{value}”. {hint}",
        option=OptionName(error.field),
        value=escape_value(error.value),
        hint=TranslatableMessage(hint, names=names),
    )


def unwrap_error(error: BaseException) -> BaseException:
    """Unwrap what discord.py wraps around an error."""
    with contextlib.suppress(AttributeError):
        inner = error.original  # type: ignore[attr-defined]
        if isinstance(inner, BaseException):
            return inner
    if isinstance(error, app_commands.TransformerError) and isinstance(error.__cause__, UserError):
        return error.__cause__
    return error
