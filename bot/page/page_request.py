"""A member's wish that comes from the page, and its answer in the channel that they came from."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Any

import discord

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext, context_of
from bot.i18n.message import gettext_noop
from bot.page.links import PageVisit
from bot.requests.recheck import fetch_member
from bot.requests.reply_target import ReplyTarget
from bot.support.discord_errors import TRANSPORT_ERRORS

log = logging.getLogger(__name__)

CLOSED_TEXT = gettext_noop(
    "The channel that you came from cannot be written to any more. Press 🖌️ *Draw* again, where the "
    "result shall be shown."
)


class PageRequest:
    """What a member sent from the page; its answer is a message in the channel they came from."""

    def __init__(
        self, client: discord.Client, visit: PageVisit, key: str, context: RequestContext
    ) -> None:
        self._client = client
        self._visit = visit
        self._answer: ReplyTarget | None = None
        self.key = key
        self.context = context

    async def send_answer(self, words: str, *, private: bool = False) -> ReplyTarget:
        """Post a message by the bot's own right; where it has none, answer the press that led here.

        Raises:
            NotAllowed: neither works any more.
        """
        if self._may_post() and not private:
            self._answer = await self._post_message(words)
        elif self._make_target(0).is_token_valid(discord.utils.utcnow()):
            self._answer = await self._follow_up(words, private=private)
        elif self._visit.guild_id is None:
            self._answer = await self._post_message(words)
        else:
            raise NotAllowed(CLOSED_TEXT)
        return self._answer

    def answer_url(self) -> str:
        """Link to the answer; to the channel before there is one."""
        target = self._answer or self._make_target(0)
        return target.message_url(target.message_id or "")

    async def withdraw_answer(self) -> None:
        """Take the answer away: the request was refused after it. Never raises."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        with contextlib.suppress(*TRANSPORT_ERRORS):
            if answer.own:
                channel = self._channel()
                await channel.get_partial_message(answer.message_id).delete()
            else:
                await self._webhook().delete_message(answer.message_id)

    async def _post_message(self, words: str) -> ReplyTarget:
        try:
            message = await self._channel().send(words)
        except (discord.Forbidden, discord.NotFound) as error:
            raise NotAllowed(CLOSED_TEXT) from error
        return self._make_target(message.id, own=True, token="")

    async def _follow_up(self, words: str, *, private: bool) -> ReplyTarget:
        try:
            message = await self._webhook().send(words, ephemeral=private, wait=True)
        except (discord.Forbidden, discord.NotFound) as error:
            raise NotAllowed(CLOSED_TEXT) from error
        return self._make_target(message.id, private=private)

    def _may_post(self) -> bool:
        guild = self._client.get_guild(self._visit.guild_id or 0)
        if guild is None:
            return False
        channel = guild.get_channel_or_thread(self._visit.channel_id)
        if channel is None:
            return False
        permissions = channel.permissions_for(guild.me)
        in_thread = isinstance(channel, discord.Thread)
        may_write = permissions.send_messages_in_threads if in_thread else permissions.send_messages
        return permissions.view_channel and may_write and permissions.attach_files

    def _make_target(self, message_id: int, **changes: Any) -> ReplyTarget:
        visit = self._visit
        target = ReplyTarget(
            application_id=visit.application_id,
            token=visit.interaction_token,
            asked_at=visit.asked_at,
            channel_id=visit.channel_id,
            guild_id=visit.guild_id,
            message_id=message_id,
            file_limit=visit.file_limit,
        )
        return dataclasses.replace(target, **changes)

    def _channel(self) -> discord.PartialMessageable:
        visit = self._visit
        return self._client.get_partial_messageable(visit.channel_id, guild_id=visit.guild_id)

    def _webhook(self) -> discord.Webhook:
        visit = self._visit
        webhook = discord.Webhook.partial(
            visit.application_id, visit.interaction_token, client=self._client
        )
        webhook.type = discord.WebhookType.application  # whose messages may be for one member
        return webhook


async def renew_context(client: discord.Client, visit: PageVisit) -> RequestContext:
    """Return who asks, where and as what, as Discord has it now.

    Where the bot is no member of the server, what was so when the link was given out stays.

    Raises:
        NotAllowed: they left the server, or no longer see the channel; or the channel is gone.
    """
    guild = client.get_guild(visit.guild_id or 0)
    if guild is None:
        return visit.context
    channel = guild.get_channel_or_thread(visit.channel_id)
    if channel is None:
        raise NotAllowed(CLOSED_TEXT)
    member = await fetch_member(guild, int(visit.context.user_id))
    if member is None:  # Discord does not answer: what it said half an hour ago has to do
        return visit.context
    if not channel.permissions_for(member).view_channel:
        raise NotAllowed(CLOSED_TEXT)
    context = context_of(
        member,
        channel,
        guild_id=visit.context.guild_id,
        user_id=visit.context.user_id,
        user_language=visit.context.user_language,
        guild_language=visit.context.guild_language,
    )
    return dataclasses.replace(context, is_private=visit.context.is_private)
