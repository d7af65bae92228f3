"""Who asks, and where the answer goes: one face for commands, buttons, forms and replies."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Protocol

import discord

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext, context_of
from bot.i18n.discord_translator import language_of
from bot.requests.reply_target import DEFAULT_FILE_LIMIT_BYTES, ReplyTarget, build_card
from bot.support.discord_errors import TRANSPORT_ERRORS

log = logging.getLogger(__name__)


class MemberRequest(Protocol):
    """Something a member asked for."""

    @property
    def key(self) -> str:
        """Names the request itself: the same one twice makes one job."""
        ...

    @property
    def context(self) -> RequestContext:
        """Who asks, where and as what."""
        ...

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Show the first answer and say where it is; a private one only to the member.

        Raises:
            NotAllowed: this kind of request cannot be answered in private.
        """
        ...


class InteractionRequest:
    """A slash command, a button, a menu or a form; its answer is a new message."""

    def __init__(self, interaction: discord.Interaction[Any]) -> None:
        self._interaction = interaction
        self.key = str(interaction.id)
        user_language = language_of(interaction.locale)
        guild_locale = interaction.guild_locale  # none in a direct message
        self.context = context_of(
            interaction.user,
            interaction.channel,
            guild_id=interaction.guild_id,
            user_id=interaction.user.id,
            user_language=user_language,
            guild_language=user_language if guild_locale is None else language_of(guild_locale),
        )

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Send a message, to everyone or to the member alone."""
        try:
            response = await self._interaction.response.send_message(
                view=build_card(words), ephemeral=private
            )
        except TRANSPORT_ERRORS as error:
            return self._reply_to(await self._find_lost_answer(error), private)
        message_id = response.message_id or (await self._interaction.original_response()).id
        return self._reply_to(message_id, private)

    async def _find_lost_answer(self, failure: Exception) -> int:
        """Ask once whether an answer arrived though Discord's word for it was lost; its id.

        Raises:
            Exception: the failure itself, where it did not.
        """
        try:
            return (await self._interaction.original_response()).id
        except (*TRANSPORT_ERRORS, discord.ClientException):
            raise failure from None

    def _reply_to(self, message_id: int, private: bool) -> ReplyTarget:
        interaction = self._interaction
        return ReplyTarget(
            application_id=interaction.application_id,
            token=interaction.token,
            asked_at=discord.utils.utcnow(),
            channel_id=interaction.channel_id or 0,
            guild_id=interaction.guild_id,
            message_id=message_id,
            file_limit=interaction.filesize_limit,
            private=private,
        )


class InPlaceRequest(InteractionRequest):
    """A button, menu or form whose message itself becomes the answer."""

    def __init__(self, interaction: discord.Interaction[Any]) -> None:
        super().__init__(interaction)
        message = interaction.message
        is_private = message is not None and message.flags.ephemeral
        self.context = dataclasses.replace(self.context, is_private=is_private)

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Keep the message as it is for now: a refusal then changes nothing."""
        try:
            await self._interaction.response.defer()
        except TRANSPORT_ERRORS as error:
            await self._find_lost_answer(error)
        message = self._interaction.message
        if message is None:
            return self._reply_to(0, private)
        return self._reply_to(message.id, self.context.is_private)


class MessageRequest:
    """A message that asks for a job; the bot replies to it by its own right."""

    def __init__(self, message: discord.Message) -> None:
        self._message = message
        self._reply: discord.Message | None = None
        self.key = str(message.id)
        guild = message.guild
        # Messages do not tell their author's language.
        language = language_of(None if guild is None else guild.preferred_locale)
        self.context = context_of(
            message.author,
            message.channel,
            guild_id=None if guild is None else guild.id,
            user_id=message.author.id,
            user_language=language,
            guild_language=language,
        )

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Reply to the message, without ringing."""
        if private:
            raise NotAllowed(
                "On this server results are for their member alone, which a reply cannot be. Use "
                "the slash command, or the Apps menu of the picture."
            )
        self._reply = await self._message.reply(view=build_card(words), mention_author=False)
        guild = self._message.guild
        return ReplyTarget(
            application_id=0,
            token="",
            asked_at=self._message.created_at,
            channel_id=self._message.channel.id,
            guild_id=None if guild is None else guild.id,
            message_id=self._reply.id,
            file_limit=DEFAULT_FILE_LIMIT_BYTES if guild is None else guild.filesize_limit,
            own=True,
        )

    async def show_refusal(self, words: str) -> None:
        """Say why it does not go on, in place of the answer if there is one. Never raises."""
        try:
            if self._reply is None:
                await self._message.reply(words, mention_author=False)
            else:
                await self._reply.edit(content=None, view=build_card(words))
        except discord.HTTPException as error:
            log.warning("A refusal could not be shown: %s", error, extra={"action": "answer_lost"})
