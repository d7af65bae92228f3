"""A request made by a message: there is no interaction, so the bot answers by its own right."""

from __future__ import annotations

import logging

import discord

from bot.errors import NotAllowed
from bot.guilds import RequestContext
from bot.i18n.discord_translator import language_of
from bot.requests.reply_target import DEFAULT_FILE_LIMIT_BYTES, ReplyTarget
from bot.requests.requester import context_of

log = logging.getLogger(__name__)


class MessageRequest:
    """A message that asks for a job; its answer is a reply to it."""

    def __init__(self, message: discord.Message) -> None:
        self._message = message
        self._card: discord.Message | None = None

    @property
    def key(self) -> str:
        """The message's id."""
        return str(self._message.id)

    @property
    def owner(self) -> str:
        """The member's id."""
        return str(self._message.author.id)

    @property
    def guild(self) -> str | None:
        """The server's id."""
        return None if self._message.guild is None else str(self._message.guild.id)

    @property
    def request_context(self) -> RequestContext:
        """The channel and the member's roles."""
        return context_of(self._message.author, self._message.channel)

    @property
    def user_language(self) -> str:
        """The language of the server: messages do not tell their author's."""
        return self.guild_language

    @property
    def guild_language(self) -> str:
        """The language of the server; English in a direct message."""
        guild = self._message.guild
        return language_of(None if guild is None else guild.preferred_locale)

    @property
    def is_private(self) -> bool:
        """Whether only the member can see the answer: others in the channel see replies."""
        return False

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Reply to the message, without ringing."""
        if private:
            raise NotAllowed(
                "On this server results are for their member alone, which a reply cannot be. Use "
                "the slash command, or the Apps menu of the picture."
            )
        self._card = await self._message.reply(words, mention_author=False)
        guild = self._message.guild
        return ReplyTarget(
            application_id=0,
            token="",
            asked_at=self._message.created_at,
            channel_id=self._message.channel.id,
            guild_id=None if guild is None else guild.id,
            message_id=self._card.id,
            file_limit=DEFAULT_FILE_LIMIT_BYTES if guild is None else guild.filesize_limit,
            own=True,
        )

    async def show_refusal(self, words: str) -> None:
        """Say why it does not go on, in place of the answer if there is one. Never raises."""
        try:
            if self._card is None:
                await self._message.reply(words, mention_author=False)
            else:
                await self._card.edit(content=words, view=None)
        except discord.HTTPException as error:
            log.warning("A refusal could not be shown: %s", error, extra={"action": "answer_lost"})
