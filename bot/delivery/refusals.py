"""What a worker finds wrong with what was asked is told to who asked, alone.

While the interaction's token works, the reason goes out as a message that only they see, and the
public card is taken away; a mask that was being chosen in place becomes what it was. Later Discord
allows no private message: then the card says in one neutral line that it could not be done, and a
button tells its owner why. A reply to a message can only be answered in public, as it was asked.
"""

from __future__ import annotations

import dataclasses
import logging

import discord

from bot import messages
from bot.delivery.message_builder import MessageBuilder
from bot.delivery.protocols import JobViews
from bot.delivery.sender import MessageSender, ReplyUneditable
from bot.messages.failures import is_correctable_failure
from bot.requests.reply_target import ReplyTarget, build_card, card_colour
from bot.support.discord_errors import TRANSPORT_ERRORS
from storage.errors import StorageError, UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord

log = logging.getLogger(__name__)


class PrivateRefusals:
    """Tells reasons to who asked, and leaves nothing of them in the channel."""

    def __init__(
        self, jobs: JobStore, builder: MessageBuilder, sender: MessageSender, views: JobViews
    ) -> None:
        self._jobs, self._builder, self._sender, self._views = jobs, builder, sender, views

    async def tell_privately(self, record: JobRecord, reply_to: ReplyTarget) -> int | None:
        """Tell a failed job's owner why, alone; return the message's id, None for the usual way.

        Raises:
            HTTPException: Discord cannot be reached, and it should be tried again.
        """
        if reply_to.own or reply_to.direct is not None:
            return None
        previous_record = await self._previous_in_place(record, reply_to)
        is_private_reason = is_correctable_failure(record) or previous_record is not None
        if not is_private_reason or (reply_to.private and previous_record is None):
            return None
        if reply_to.is_token_valid(discord.utils.utcnow()):
            content, view = messages.failed_card(record), self._views.view_for_refused(record)
            try:
                message_id = await self._sender.send_private(reply_to, content, view)
            except ReplyUneditable:
                log.info("The reason of %s cannot be told privately any more.", record.id)
            else:
                await self._take_card_away(previous_record, reply_to)
                return message_id
        if reply_to.private:
            return None
        rows = self._views.rows_for_hidden_reason(record)
        own_target = dataclasses.replace(reply_to, token="")
        card = build_card(messages.hidden_reason_card(record), rows, (), card_colour(record))
        await self._sender.edit_status(own_target, card)
        return reply_to.message_id

    async def restore_previous(self, record: JobRecord, reply_to: ReplyTarget) -> bool:
        """Make the message of a job asked for in place what it was before; False for all others."""
        previous_record = await self._previous_in_place(record, reply_to)
        if previous_record is None:
            return False
        await self._take_card_away(previous_record, reply_to)
        return True

    async def _previous_in_place(
        self, record: JobRecord, reply_to: ReplyTarget
    ) -> JobRecord | None:
        """Return the job whose message a job was asked for in, if it was."""
        if record.parent is None:
            return None
        try:
            parent = await self._jobs.reader.get_job(record.parent)
        except UnknownJob:
            return None
        return parent if parent.message == str(reply_to.message_id) else None

    async def _take_card_away(
        self, previous_record: JobRecord | None, reply_to: ReplyTarget
    ) -> None:
        try:
            if previous_record is None:
                await self._sender.delete_reply(reply_to)
                return
            message = await self._builder.build_message(previous_record, reply_to.file_limit)
            is_token_valid = reply_to.is_token_valid(discord.utils.utcnow())
            target = reply_to if is_token_valid else dataclasses.replace(reply_to, own=True)
            await self._sender.edit_original(target, message)
        except (ReplyUneditable, StorageError, *TRANSPORT_ERRORS) as error:
            log.info("A card stays as it is: %s", error)
