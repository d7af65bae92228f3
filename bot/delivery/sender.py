"""The ways to a member: the interaction's own answer while its token works, then a channel."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import discord

from bot import messages
from bot.delivery.message_builder import ResultMessage
from bot.errors import NoDeliveryRoute
from bot.i18n.message import gettext_noop
from bot.requests.image_sources import iter_components
from bot.requests.reply_target import DEFAULT_FILE_LIMIT_BYTES, ReplyTarget, build_card
from bot.support.discord_errors import TRANSPORT_ERRORS
from storage.records import JobRecord

log = logging.getLogger(__name__)

#: How much earlier than a result can have been sent its search goes on, for clocks that differ.
SEARCH_MARGIN = timedelta(minutes=2)

INVALID_TOKEN = 50027
UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MESSAGE, UNKNOWN_USER = 10003, 10004, 10008, 10013
UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION = 10015, 10062
MISSING_ACCESS, MISSING_PERMISSIONS, DMS_CLOSED = 50001, 50013, 50007

WHY_UNREACHABLE = {
    UNKNOWN_CHANNEL: gettext_noop("the channel is gone"),
    UNKNOWN_GUILD: gettext_noop("the server is gone"),
    MISSING_ACCESS: gettext_noop("Easel cannot see the channel"),
    MISSING_PERMISSIONS: gettext_noop("Easel may not write or attach files in the channel"),
    DMS_CLOSED: gettext_noop("your direct messages are closed"),
}
PRIVATE_REPLY_ENDED = gettext_noop(
    "it was for you alone, and Discord ends such answers after a quarter of an hour"
)
HISTORY_CLOSED = gettext_noop(
    "it may be in the channel already, and Easel may not read the channel's history to look for it"
)
NOT_DISCORD = gettext_noop("it was not asked in Discord")


class ReplyUneditable(Exception):
    """The interaction's answer cannot be edited: token over, message deleted, bot shut out."""


class MessageSender:
    """Sends messages about jobs to where they were asked."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def edit_status(
        self,
        reply_to: ReplyTarget,
        card: discord.ui.LayoutView,
        files: Sequence[discord.File] = (),
    ) -> None:
        """Change a job's card, with the bot's own token if need be; `files` are what it shows."""
        change = _card_change(card, files)
        if reply_to.is_token_valid(discord.utils.utcnow()):
            await self._reply_webhook(reply_to).edit_message(reply_to.message_id, **change)
        else:
            await (
                self._source_channel(reply_to)
                .get_partial_message(reply_to.message_id)
                .edit(**change)
            )

    async def send_private(self, reply_to: ReplyTarget, content: str, view: discord.ui.View) -> int:
        """Send a message that only who asked sees, while the interaction's token works.

        Raises:
            ReplyUneditable: it no longer does.
        """
        webhook = self._reply_webhook(reply_to)
        webhook.type = discord.WebhookType.application  # whose messages may be for one member
        try:
            message = await webhook.send(content, view=view, ephemeral=True, wait=True)
        except discord.HTTPException as error:
            if error.status in (401, 403, 404):
                raise ReplyUneditable from error
            raise
        return message.id

    async def delete_reply(self, reply_to: ReplyTarget) -> None:
        """Delete the interaction's own answer.

        Raises:
            HTTPException: it is gone, or the token is over.
        """
        await self._reply_webhook(reply_to).delete_message(reply_to.message_id)

    async def edit_original(self, reply_to: ReplyTarget, message: ResultMessage) -> int:
        """Turn the card into the result; doing it twice leaves the same message.

        Raises:
            ReplyUneditable: the card cannot be edited this way any more.
        """
        try:
            return await self._try_edit_original(reply_to, message)
        except (discord.NotFound, discord.Forbidden) as error:
            raise ReplyUneditable from error
        except discord.HTTPException as error:
            if error.status == 401:
                raise ReplyUneditable from error
            raise

    async def _try_edit_original(self, reply_to: ReplyTarget, outgoing: ResultMessage) -> int:
        if reply_to.own:
            card = self._target_channel(reply_to).get_partial_message(reply_to.message_id)
            edited_message = await card.edit(
                **_card_change(outgoing.layout(), outgoing.discord_files())
            )
            return edited_message.id
        if not reply_to.is_token_valid(discord.utils.utcnow()):
            raise ReplyUneditable
        message = await self._reply_webhook(reply_to).edit_message(
            reply_to.message_id, **_card_change(outgoing.layout(), outgoing.discord_files())
        )
        return int(message.id)

    async def post_result(self, reply_to: ReplyTarget, outgoing: ResultMessage) -> int:
        """Post the result into the channel, or the direct messages that stand in its stead.

        The nonce is the job's id: Discord answers a repetition within minutes with the message
        it already has.

        Raises:
            Unreachable: the channel is closed to the bot; the words say why.
        """
        record = outgoing.record
        channel = self._target_channel(reply_to)
        try:
            message = await channel.send(
                files=outgoing.discord_files(),
                view=outgoing.layout(),
                nonce=record.id,
                # Long after the command: the one message of Easel that may ring.
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(int(record.owner))]),
            )
        except (discord.NotFound, discord.Forbidden) as error:
            raise NoDeliveryRoute(WHY_UNREACHABLE.get(error.code, str(error.text))) from error
        await self.link_to_result(reply_to, message.jump_url)
        return message.id

    def file_limit(self, reply_to: ReplyTarget) -> int:
        """Say how many bytes of one file the channel takes from the bot, by its server's tier."""
        guild = None if reply_to.direct else self._client.get_guild(reply_to.guild_id or 0)
        return DEFAULT_FILE_LIMIT_BYTES if guild is None else guild.filesize_limit

    async def delete_message(self, reply_to: ReplyTarget, message_id: int) -> None:
        """Delete a message of the bot's own by its own right.

        Raises:
            HTTPException: it is gone, or the bot is shut out.
        """
        await self._target_channel(reply_to).get_partial_message(message_id).delete()

    async def delete_post(self, channel_id: int, message_id: int) -> None:
        """Delete a message of the bot's own in a channel by its id.

        Raises:
            HTTPException: it is gone, or the bot is shut out.
        """
        channel = self._client.get_partial_messageable(channel_id)
        await channel.get_partial_message(message_id).delete()

    async def find_delivered(self, reply_to: ReplyTarget, record: JobRecord) -> int | None:
        """Look for a result that arrived though its arrival was never noted.

        It may be the card, when the answer to its last edit was lost, or a message posted later:
        all are looked through that are younger than the result can be.

        Raises:
            NoDeliveryRoute: it may stand where the bot may not look, so it must not be sent again.
        """
        channel = self._target_channel(reply_to)
        try:
            with contextlib.suppress(discord.NotFound):
                status_message = await channel.get_partial_message(reply_to.message_id).fetch()
                if _shows_end(status_message, record.id):
                    return status_message.id
            return await self._find_in_history(channel, reply_to, record)
        except discord.NotFound:  # and all that was in it
            log.info("The channel of job %s is gone.", record.id)
        except discord.Forbidden as error:
            raise NoDeliveryRoute(HISTORY_CLOSED) from error
        return None

    async def _find_in_history(
        self, channel: discord.PartialMessageable, reply_to: ReplyTarget, record: JobRecord
    ) -> int | None:
        earliest: datetime | None = None
        # Every page is one request, for which discord.py keeps to Discord's rates.
        async for message in channel.history(limit=None):
            if _shows_end(message, record.id):
                return message.id
            earliest = earliest or _earliest_sending(reply_to, record, message.created_at)
            if message.created_at < earliest:
                return None
        if earliest is None and not self._knows_history_open(reply_to):
            raise NoDeliveryRoute(HISTORY_CLOSED)  # Discord shows an empty channel instead
        return None

    def _knows_history_open(self, reply_to: ReplyTarget) -> bool:
        """Whether the bot is known to be allowed to read the target's history."""
        if reply_to.direct is not None or reply_to.guild_id is None:
            return True
        channel = self._client.get_channel(reply_to.channel_id)
        if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return False
        permissions = channel.permissions_for(channel.guild.me)
        return permissions.view_channel and permissions.read_message_history

    async def open_dm(self, owner: str) -> int | None:
        """Open direct messages with a member and return their channel; None if that is refused."""
        try:
            return (await self._client.create_dm(discord.Object(int(owner)))).id
        except TRANSPORT_ERRORS as error:
            log.info("No direct messages with a member can be opened: %s", error)
            return None

    async def can_search(self, reply_to: ReplyTarget) -> bool:
        """Whether a result that arrived unnoted would be found, or is gone with its channel."""
        if reply_to.private:
            return False
        try:
            async for _ in self._target_channel(reply_to).history(limit=1):
                return True
        except TRANSPORT_ERRORS as error:
            return getattr(error, "code", None) == UNKNOWN_CHANNEL
        return self._knows_history_open(reply_to)

    async def link_to_result(self, reply_to: ReplyTarget, link: str) -> None:
        """Let the old card say where the result is, if it is still there."""
        try:
            await self.edit_status(reply_to, build_card(messages.shown_below_note(link)))
        except TRANSPORT_ERRORS as error:
            log.info("An old card stays as it is: %s", error)

    def _reply_webhook(self, reply_to: ReplyTarget) -> discord.Webhook:
        return discord.Webhook.partial(reply_to.application_id, reply_to.token, client=self._client)

    def _target_channel(self, reply_to: ReplyTarget) -> discord.PartialMessageable:
        """Return the channel that the result goes to."""
        if reply_to.direct is not None:
            return self._client.get_partial_messageable(reply_to.direct)
        return self._source_channel(reply_to)

    def _source_channel(self, reply_to: ReplyTarget) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(reply_to.channel_id, guild_id=reply_to.guild_id)


def _card_change(card: discord.ui.LayoutView, files: Sequence[discord.File]) -> dict[str, Any]:
    """Say what an edit changes: a card of an older version holds content, which makes room."""
    return {"content": None, "attachments": list(files), "view": card}


def _earliest_sending(reply_to: ReplyTarget, record: JobRecord, newest: datetime) -> datetime:
    """Return the earliest time, by Discord's clock, at which a result can have been sent.

    Args:
        reply_to: where it was asked; its times are Discord's.
        record: the ended job; its times are this machine's, whose clock may have been set since.
        newest: when the channel's newest message was sent, by Discord's clock.
    """
    ended_at = record.finished_at or record.created_at
    earliest = reply_to.asked_at
    if abs(record.created_at - earliest) < SEARCH_MARGIN:  # the clocks agreed
        earliest = max(earliest, ended_at)
    return min(earliest, newest - (discord.utils.utcnow() - ended_at)) - SEARCH_MARGIN


def _shows_end(message: discord.Message, job_id: str) -> bool:
    """Whether a message has a control of the ended job; one that waits can only be cancelled."""
    marks = [
        str(getattr(item, "custom_id", "") or "") for item in iter_components(message.components)
    ]
    return any(m.endswith(f":{job_id}") and not m.startswith("easel:cancel:") for m in marks)
