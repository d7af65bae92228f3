"""The ways to a member: the interaction's own answer while its token works, then a channel."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import discord

from bot import texts
from bot.delivery.outgoing import Outgoing
from bot.errors import Unreachable
from bot.failures import NOT_THROUGH
from bot.reply_to import DEFAULT_FILE_LIMIT, ReplyTo
from bot.sentences import english

log = logging.getLogger(__name__)

SEARCHED = 100  # messages of a channel looked through for a result posted before a crash

INVALID_TOKEN = 50027
UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MESSAGE, UNKNOWN_USER = 10003, 10004, 10008, 10013
UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION = 10015, 10062
MISSING_ACCESS, MISSING_PERMISSIONS, DMS_CLOSED = 50001, 50013, 50007

WHY_UNREACHABLE = {
    UNKNOWN_CHANNEL: english("the channel is gone"),
    UNKNOWN_GUILD: english("the server is gone"),
    MISSING_ACCESS: english("Easel cannot see the channel"),
    MISSING_PERMISSIONS: english("Easel may not write or attach files in the channel"),
    DMS_CLOSED: english("your direct messages are closed"),
}
PRIVATE = english("it was for you alone, and Discord ends such answers after a quarter of an hour")
NOT_DISCORD = english("it was not asked in Discord")


class AnswerGone(Exception):
    """The interaction's answer cannot be edited: token over, message deleted, bot shut out."""


class Routes:
    """Sends messages about jobs to where they were asked."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def edit_card(
        self,
        reply_to: ReplyTo,
        content: str,
        view: discord.ui.View | None,
        files: list[discord.File] | None = None,
    ) -> None:
        """Change the words and buttons of a job's card, with the bot's own token if need be.

        `files` replace what is attached to it; None leaves that as it is.
        """
        change: dict[str, Any] = {"content": content, "view": view}
        if files is not None:
            change["attachments"] = files
        if reply_to.token_works(discord.utils.utcnow()):
            await self._webhook(reply_to).edit_message(reply_to.message_id, **change)
        else:
            await self._asked_in(reply_to).get_partial_message(reply_to.message_id).edit(**change)

    async def edit(self, reply_to: ReplyTo, outgoing: Outgoing) -> int:
        """Turn the card into the result; doing it twice leaves the same message.

        Raises:
            AnswerGone: the card cannot be edited this way any more.
        """
        try:
            return await self._edit(reply_to, outgoing)
        except (discord.NotFound, discord.Forbidden) as error:
            raise AnswerGone from error
        except discord.HTTPException as error:
            if error.status == 401:
                raise AnswerGone from error
            raise

    async def _edit(self, reply_to: ReplyTo, outgoing: Outgoing) -> int:
        if reply_to.own:
            card = self._channel(reply_to).get_partial_message(reply_to.message_id)
            edited = await card.edit(
                content=outgoing.content, attachments=outgoing.files(), view=outgoing.view()
            )
            return edited.id
        if not reply_to.token_works(discord.utils.utcnow()):
            raise AnswerGone
        message = await self._webhook(reply_to).edit_message(
            reply_to.message_id,
            content=outgoing.content,
            attachments=outgoing.files(),
            view=outgoing.view(),
        )
        return message.id

    async def post(self, reply_to: ReplyTo, outgoing: Outgoing) -> int:
        """Post the result into the channel, or the direct messages that stand in its stead.

        The nonce is the job's id: Discord answers a repetition within minutes with the message
        it already has.

        Raises:
            Unreachable: the channel is closed to the bot; the words say why.
        """
        record = outgoing.record
        channel = self._channel(reply_to)
        try:
            message = await channel.send(
                outgoing.content,
                files=outgoing.files(),
                view=outgoing.view(),
                nonce=record.id,
                # Long after the command: the one message of Easel that may ring.
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(int(record.owner))]),
            )
        except (discord.NotFound, discord.Forbidden) as error:
            raise Unreachable(WHY_UNREACHABLE.get(error.code, str(error.text))) from error
        await self.point_to(reply_to, message.jump_url)
        return message.id

    def file_limit(self, reply_to: ReplyTo) -> int:
        """Say how many bytes of one file the channel takes from the bot, by its server's tier."""
        guild = None if reply_to.direct else self._client.get_guild(reply_to.guild_id or 0)
        return DEFAULT_FILE_LIMIT if guild is None else guild.filesize_limit

    async def delete(self, reply_to: ReplyTo, message_id: int) -> None:
        """Delete a message of the bot's own by its own right.

        Raises:
            HTTPException: it is gone, or the bot is shut out.
        """
        await self._channel(reply_to).get_partial_message(message_id).delete()

    async def find(self, reply_to: ReplyTo, job_id: str) -> int | None:
        """Look for a result that arrived though its arrival was never noted.

        It may be the card, when the answer to its last edit was lost, or a message posted later.
        """
        channel = self._channel(reply_to)
        try:
            with contextlib.suppress(discord.NotFound):
                card = await channel.get_partial_message(reply_to.message_id).fetch()
                if _shows_end(card, job_id):
                    return card.id
            async for message in channel.history(limit=SEARCHED):
                if _shows_end(message, job_id):
                    return message.id
        except (discord.NotFound, discord.Forbidden):
            log.info("The channel of job %s cannot be searched.", job_id)
        return None

    async def direct(self, owner: str) -> int | None:
        """Open direct messages with a member and return their channel; None if that is refused."""
        try:
            return (await self._client.create_dm(discord.Object(int(owner)))).id
        except NOT_THROUGH as error:
            log.info("No direct messages with a member can be opened: %s", error)
            return None

    async def can_search(self, reply_to: ReplyTo) -> bool:
        """Whether a result that arrived unnoted would be found, or is gone with its channel."""
        if reply_to.private:
            return False
        try:
            async for _ in self._channel(reply_to).history(limit=1):
                pass
        except NOT_THROUGH as error:
            return getattr(error, "code", None) == UNKNOWN_CHANNEL
        return True

    async def point_to(self, reply_to: ReplyTo, link: str) -> None:
        """Let the old card say where the result is, if it is still there."""
        try:
            await self.edit_card(reply_to, texts.shown_below(link), None, files=[])
        except NOT_THROUGH as error:
            log.info("An old card stays as it is: %s", error)

    def _webhook(self, reply_to: ReplyTo) -> discord.Webhook:
        return discord.Webhook.partial(reply_to.application_id, reply_to.token, client=self._client)

    def _channel(self, reply_to: ReplyTo) -> discord.PartialMessageable:
        """Return the channel that the result goes to."""
        if reply_to.direct is not None:
            return self._client.get_partial_messageable(reply_to.direct)
        return self._asked_in(reply_to)

    def _asked_in(self, reply_to: ReplyTo) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(reply_to.channel_id, guild_id=reply_to.guild_id)


def _shows_end(message: discord.Message, job_id: str) -> bool:
    """Whether a message carries a button of the ended job; one that waits can be cancelled only."""
    marks = [
        str(getattr(item, "custom_id", "")) for row in message.components for item in _children(row)
    ]
    return any(m.endswith(f":{job_id}") and not m.startswith("easel:cancel:") for m in marks)


def _children(row: Any) -> list[Any]:
    return list(getattr(row, "children", ()))
