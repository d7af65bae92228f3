"""Who asks, and where the answer goes: one face for commands, buttons, forms and replies."""

from __future__ import annotations

from typing import Any, Protocol

import discord

from bot.guilds import RequestContext
from bot.i18n.discord_translator import language_of
from bot.requests.reply_target import ReplyTarget
from bot.support.discord_errors import TRANSPORT_ERRORS


class MemberRequest(Protocol):
    """Something a member asked for."""

    @property
    def key(self) -> str:
        """Names the request itself: the same one twice makes one job."""
        ...

    @property
    def owner(self) -> str:
        """The member's id."""
        ...

    @property
    def guild(self) -> str | None:
        """The server's id; None in a direct message."""
        ...

    @property
    def request_context(self) -> RequestContext:
        """Where it is asked, and as what."""
        ...

    @property
    def user_language(self) -> str:
        """The language of who asks, as far as it is known."""
        ...

    @property
    def guild_language(self) -> str:
        """The language of those who see the answer, where their server chose none."""
        ...

    @property
    def is_private(self) -> bool:
        """Whether the answer is for the member alone, whatever the server wants."""
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

    @property
    def key(self) -> str:
        """The interaction's id."""
        return str(self._interaction.id)

    @property
    def owner(self) -> str:
        """The member's id."""
        return str(self._interaction.user.id)

    @property
    def guild(self) -> str | None:
        """The server's id."""
        guild = self._interaction.guild_id
        return None if guild is None else str(guild)

    @property
    def request_context(self) -> RequestContext:
        """The channel and the member's roles, as Discord sent them along."""
        return context_of(self._interaction.user, self._interaction.channel)

    @property
    def user_language(self) -> str:
        """The language of the member's Discord."""
        return language_of(self._interaction.locale)

    @property
    def guild_language(self) -> str:
        """The language of the server; in a direct message the member's own."""
        locale = self._interaction.guild_locale
        return self.user_language if locale is None else language_of(locale)

    @property
    def is_private(self) -> bool:
        """Whether only the member can see the answer: not of itself."""
        return False

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Send a message, to everyone or to the member alone."""
        try:
            response = await self._interaction.response.send_message(words, ephemeral=private)
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

    @property
    def is_private(self) -> bool:
        """Whether only the member sees the message."""
        message = self._interaction.message
        return message is not None and message.flags.ephemeral

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Keep the message as it is for now: a refusal then changes nothing."""
        try:
            await self._interaction.response.defer()
        except TRANSPORT_ERRORS as error:
            await self._find_lost_answer(error)
        message = self._interaction.message
        if message is None:
            return self._reply_to(0, private)
        return self._reply_to(message.id, self.is_private)


def context_of(member: Any, channel: Any) -> RequestContext:
    """Read off a member and a channel what a server's rules look at."""
    ids = (getattr(channel, "id", None), getattr(channel, "parent_id", None))
    return RequestContext(
        channels=frozenset(str(id) for id in ids if id is not None),
        roles=frozenset(str(role.id) for role in getattr(member, "roles", ())),
        age_restricted=is_age_restricted(channel),
    )


def is_age_restricted(channel: Any) -> bool:
    """Whether a channel, or the one that a thread belongs to, is age-restricted."""
    nsfw_check = getattr(channel, "is_nsfw", None)
    return bool(nsfw_check is not None and nsfw_check())
