"""A reply to a picture that mentions the bot, from its words to the queue."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import discord

from bot import policy
from bot.answers import words_for
from bot.errors import (
    HiddenPicture,
    JobGone,
    MessageGone,
    NoPictureThere,
    NotYours,
)
from bot.locales import say, speak
from bot.replies import grammar
from bot.replies.grammar import Wish
from bot.replies.request import MessageRequest
from bot.sentences import english
from bot.shown import first_picture, job_of, pictures_in
from bot.sources import Source
from bot.views.results import default_upscaler, repeated
from inference.jobs import KINDS, Job, Upscale
from storage.errors import UnknownJob

if TYPE_CHECKING:
    from bot.client import Easel

log = logging.getLogger(__name__)

HELP = english(
    "Reply to a picture, mention me and say what to do:\n"
    "`make it a watercolour` · `upscale 2x` · `describe` · `tags` · `outpaint left 128` · "
    "`zoom out` · `inpaint left 30%: a window` · `inpaint a red hat` with a mask attached · "
    "`loop 4 a city of glass` · `again`\n"
    "Settings go anywhere: `strength 0.5`, `steps 30`, `guidance 7`, `seed 5`. "
    "`/help` tells the rest."
)
NOTHING_SHOWN = english(
    "There is no picture to work on. Reply to a message with a picture, or attach one to yours."
)


class Listener:
    """Hears what is said to the bot; everything else it neither sees nor keeps."""

    def __init__(self, bot: Easel) -> None:
        self._bot = bot

    async def heard(self, message: discord.Message) -> None:
        """Do what a message asks for, or leave it alone. Never raises."""
        wish = self._wish(message)
        if wish is None:
            return
        request = MessageRequest(message)
        try:
            speak(await self._bot.gate.language(request))
            await self._grant(request, message, wish)
        except discord.HTTPException as error:
            log.warning("A reply could not be answered: %s", error, extra={"action": "answer_lost"})
        except Exception as error:
            await request.refuse(words_for(error))

    def _wish(self, message: discord.Message) -> Wish | None:
        """Read what is asked of the bot; None for what is not meant for it.

        A reply to the bot's own message mentions it without a word of it: such words are taken
        for a wish only where they name one, since people also talk about pictures. A direct
        message is meant for the bot in any case.
        """
        me = self._bot.user
        direct = message.guild is None
        if me is None or message.author.bot or not (direct or me in message.mentions):
            return None
        words = re.sub(rf"<@!?{me.id}>", " ", message.content)
        named = direct or words != message.content
        wish = grammar.read(words)
        if self._says_where(message):
            wish = grammar.with_file(wish, words)
        if named or (wish.explicit and wish.kind != grammar.HELP):
            return wish
        return None

    def _says_where(self, message: discord.Message) -> bool:
        """Whether it brings a file to a picture that it replies to."""
        target = message.reference.resolved if message.reference is not None else None
        if not isinstance(target, discord.Message):
            return False
        return bool(self._pictures(message) and self._pictures(target))

    async def _grant(self, request: MessageRequest, message: discord.Message, wish: Wish) -> None:
        target = _target(message)
        if wish.kind == grammar.HELP:
            await message.reply(say(HELP), mention_author=False)
        elif wish.kind == grammar.AGAIN:
            await self._again(request, target)
        else:
            job = await self._job(wish, request.guild)
            sources, notes = self._sources(message, target, wish.kind)
            desk = self._bot.desk
            await desk.order(request, job, sources, parent=self._parent(target), notes=notes)

    async def _job(self, wish: Wish, guild: str | None) -> Job:
        values = await self._bot.gate.filled(guild, KINDS[wish.kind], wish.values)
        if wish.kind == Upscale.kind:
            values["upscaler"] = default_upscaler(self._bot.service.workers)
        return KINDS[wish.kind](**values)

    def _sources(
        self, message: discord.Message, target: discord.Message | None, kind: str
    ) -> tuple[dict[str, Source], tuple[str, ...]]:
        """Choose the picture to work on and the mask: the reply's own file is the mask, if any."""
        attached = self._pictures(message)
        shown = self._pictures(target) if target is not None else []
        if not shown and not attached:
            if target is not None and self._is_hidden(target):
                raise HiddenPicture
            raise NoPictureThere(NOTHING_SHOWN)
        picture, notes = first_picture(shown or attached[:1])
        masks = attached if shown else attached[1:]
        if "mask" in KINDS[kind].takes and masks:
            return {"image": picture, "mask": masks[0]}, notes
        return {"image": picture}, notes

    def _pictures(self, message: discord.Message) -> list[Source]:
        return pictures_in(message, self._bot.http.get_from_cdn, self._bot.picture_hosts)

    def _is_hidden(self, message: discord.Message) -> bool:
        """Whether Discord keeps a message's content from bots without the privileged intent."""
        shown = message.content or message.attachments or message.embeds or message.components
        return not shown and message.author != self._bot.user

    def _parent(self, target: discord.Message | None) -> str | None:
        own = target is not None and target.author == self._bot.user
        return job_of(target) if own and target is not None else None

    async def _again(self, request: MessageRequest, target: discord.Message | None) -> None:
        parent = self._parent(target)
        if parent is None:
            raise JobGone("“again” repeats a result of mine: reply to one.")
        try:
            record = await self._bot.jobs.get(parent)
        except UnknownJob as error:
            raise JobGone from error
        if not policy.may_use(request.owner, record.owner):
            raise NotYours(record.owner, "Say what to do instead, as in “make it a watercolour”.")
        await self._bot.desk.again(request, repeated(record), record)


def _target(message: discord.Message) -> discord.Message | None:
    """Return the message that is replied to.

    Raises:
        MessageGone: it was deleted.
    """
    if message.reference is None:
        return None
    resolved = message.reference.resolved
    if isinstance(resolved, discord.DeletedReferencedMessage):
        raise MessageGone
    return resolved
