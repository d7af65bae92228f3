"""A reply to a picture that mentions the bot, from its words to the queue."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import discord

from bot import guilds
from bot.commands.mentions import intent_parser
from bot.commands.mentions.intent_parser import ReplyIntent
from bot.errors import (
    ImageNotAccessible,
    JobNotFound,
    MessageDeleted,
    NoImageInMessage,
    NotJobOwner,
)
from bot.guilds.context import reply_language
from bot.guilds.settings import GuildSettings
from bot.i18n import set_language, translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import user_message
from bot.messages.escaping import escape_untrusted
from bot.requests.editing import fill_edit_values, find_editing_model
from bot.requests.fetching import fetcher_of
from bot.requests.image_sources import (
    ImageSource,
    first_image,
    images_in_message,
    job_id_of_message,
    stored_images_of,
)
from bot.requests.job_check import (
    ANY_WORDS,
    can_mark,
    default_upscaler,
    list_ready_models,
)
from bot.requests.requester import MessageRequest
from bot.services import Services
from bot.views.base import with_new_seed
from inference.api.jobs import JOB_TYPES, Img2ImgJob, InpaintJob, Job, UpscaleJob
from storage.errors import UnknownJob

log = logging.getLogger(__name__)

HELP_MESSAGE = gettext_noop(
    "Reply to a picture, mention me and say what to do:\n"
    "`make it a watercolour` · `upscale 2x` · `redraw 2x` · `describe` · `tags` · "
    "`outpaint left 128` · `zoom out` · `inpaint left 30%: a window` · "
    "`inpaint a red hat` with a mask attached · "
    "`loop 4 a city of glass` · `again`\n"
    "Settings go anywhere: `strength 0.5`, `steps 30`, `guidance 7`, `seed 5`. "
    "`/help` tells the rest."
)
ORDER_TO_MASK = gettext_noop(
    "My words describe a picture; I cannot take an order. Say what should be there instead of "
    "“{thing}”: `replace {thing} with a wooden table`. Or press 🔲 *Inpaint* under the picture, "
    "pick the cells, and say what they should show."
)
ORDER_TO_CELLS = gettext_noop(
    "My words describe a picture; I cannot take an order, and this host finds no “{thing}” by its "
    "name. Press 🔲 *Inpaint* under the picture, pick the cells where it is, and say what they "
    "should show instead. Or say where: `inpaint left 30%: a wooden table`."
)
MAX_QUOTED_CHARACTERS = 60  # characters of a member's own words in an answer
REPLACING_STRENGTH = 0.9  # denoising strength: what was there is gone
KEPT_OPTIONS = ("prompt", "negative_prompt", "model")
"""What a reply keeps of the result that it answers."""
KEEPING_KINDS = ("outpaint", "loopback", "inpaint", "img2img")
NO_IMAGE_MESSAGE = gettext_noop(
    "There is no picture to work on. Reply to a message with a picture, or attach one to yours."
)


class MentionHandler:
    """Answer messages that mention the bot; all others are neither read nor stored."""

    def __init__(self, client: discord.Client, services: Services) -> None:
        self._client = client
        self._services = services

    async def handle_message(self, message: discord.Message) -> None:
        """Do what a message asks for, or leave it alone. Never raises."""
        intent = self._parse_message(message)
        if intent is None:
            return
        request = MessageRequest(message)
        try:
            settings = await self._services.policy.guild_settings(request.context.guild_id)
            set_language(reply_language(settings, request.context))
            await self._execute_intent(request, message, intent, settings)
        except discord.HTTPException as error:
            log.warning("A reply could not be answered: %s", error, extra={"action": "answer_lost"})
        except Exception as error:
            await request.show_refusal(user_message(error))

    def _parse_message(self, message: discord.Message) -> ReplyIntent | None:
        """Read what is asked of the bot; None for what is not meant for it.

        A reply to the bot's own message mentions it without a word of it: such words are taken
        for a wish only where they name one, since people also talk about pictures. A direct
        message is meant for the bot in any case.
        """
        me = self._client.user
        direct = message.guild is None
        if me is None or message.author.bot or not (direct or me in message.mentions):
            return None
        words = re.sub(rf"<@!?{me.id}>", " ", message.content)
        is_addressed = direct or words != message.content
        intent = intent_parser.parse_intent(words)
        if self._brings_mask_file(message):
            intent = intent_parser.intent_with_file(intent, words)
        if is_addressed or (intent.is_explicit and intent.kind != intent_parser.HELP_KIND):
            return intent
        return None

    def _brings_mask_file(self, message: discord.Message) -> bool:
        """Whether it brings a file to a picture that it replies to."""
        target = message.reference.resolved if message.reference is not None else None
        if not isinstance(target, discord.Message):
            return False
        return bool(self._images_in(message) and self._images_in(target))

    async def _execute_intent(
        self,
        request: MessageRequest,
        message: discord.Message,
        intent: ReplyIntent,
        settings: GuildSettings,
    ) -> None:
        target = _find_target(message)
        models = list_ready_models(self._services.workers)
        if intent.instruction and (editor := find_editing_model(models, settings)):
            intent = _as_edit(intent, editor, is_masked=self._brings_mask_file(message))
        if intent.kind == intent_parser.HELP_KIND:
            await message.reply(translate(HELP_MESSAGE), mention_author=False)
        elif intent.kind == intent_parser.AGAIN_KIND:
            await self._rerun_job(request, target, settings)
        elif intent.kind == intent_parser.ORDER_KIND and not self._can_follow(intent):
            await message.reply(self._order_answer(intent), mention_author=False)
        else:
            if intent.kind == intent_parser.ORDER_KIND:
                intent = _as_inpainting(intent)
            job = self._build_job(await self._with_prompt(request, intent, target), settings)
            sources, notes = await self._choose_sources(message, target, intent.kind)
            await self._services.submitter.submit_job(
                request,
                job,
                sources,
                settings=settings,
                parent=self._parent_job(target),
                notes=notes,
            )

    def _can_follow(self, intent: ReplyIntent) -> bool:
        """Whether some worker finds things by their names, and the order says what instead."""
        models = list_ready_models(self._services.workers)
        return bool(intent.values["instead"]) and can_mark(models, ANY_WORDS)

    def _order_answer(self, intent: ReplyIntent) -> str:
        """Say what can be done in the place of an order."""
        models = list_ready_models(self._services.workers)
        thing = escape_untrusted(str(intent.values["thing"]), MAX_QUOTED_CHARACTERS)
        words = ORDER_TO_MASK if can_mark(models, ANY_WORDS) else ORDER_TO_CELLS
        return translate(words, thing=thing)

    async def _with_prompt(
        self, request: MessageRequest, intent: ReplyIntent, target: discord.Message | None
    ) -> ReplyIntent:
        """Keep the prompt of the result that is answered, where the words name no other."""
        parent = self._parent_job(target)
        is_painting = intent.kind in KEEPING_KINDS or intent_parser.is_redraw(intent)
        if parent is None or not is_painting or intent.values.get("prompt"):
            return intent
        try:
            record = await self._services.jobs.reader.get_job(parent)
        except UnknownJob:
            return intent
        if record.guild != request.context.guild_id:
            return intent
        kept_values = {n: record.params[n] for n in KEPT_OPTIONS if record.params.get(n)}
        return replace(intent, values={**intent.values, **kept_values})

    def _build_job(self, intent: ReplyIntent, settings: GuildSettings) -> Job:
        values = self._services.policy.fill_defaults(
            settings, JOB_TYPES[intent.kind], intent.values
        )
        if intent.kind == UpscaleJob.kind:
            values["upscaler"] = default_upscaler(self._services.workers.worker_statuses)
        return JOB_TYPES[intent.kind](**values)

    async def _choose_sources(
        self, message: discord.Message, target: discord.Message | None, kind: str
    ) -> tuple[dict[str, ImageSource], tuple[str, ...]]:
        """Choose the picture to work on and the mask: the reply's own file is the mask, if any."""
        attached_images = self._images_in(message)
        target_images = [] if target is None else await self._images_of_target(target)
        if not target_images and not attached_images:
            if target is not None and self._is_hidden(target):
                raise ImageNotAccessible
            raise NoImageInMessage(NO_IMAGE_MESSAGE)
        image, notes = first_image(target_images or attached_images[:1])
        masks = attached_images if target_images else attached_images[1:]
        if "mask" in JOB_TYPES[kind].optional_images and masks:
            return {"image": image, "mask": masks[0]}, notes
        return {"image": image}, notes

    def _images_in(self, message: discord.Message) -> list[ImageSource]:
        return images_in_message(message, fetcher_of(self._client), self._services.image_hosts)

    async def _images_of_target(self, target: discord.Message) -> list[ImageSource]:
        """List what a message that is replied to shows; of one of Easel's own, what was made."""
        stored_images: list[ImageSource] = []
        if target.author == self._client.user:
            guild = None if target.guild is None else str(target.guild.id)
            stored_images = await stored_images_of(
                target, self._services.jobs, self._services.blobs, guild
            )
        return stored_images or self._images_in(target)

    def _is_hidden(self, message: discord.Message) -> bool:
        """Whether Discord keeps a message's content from bots without the privileged intent."""
        visible_content = (
            message.content or message.attachments or message.embeds or message.components
        )
        return not visible_content and message.author != self._client.user

    def _parent_job(self, target: discord.Message | None) -> str | None:
        is_own = target is not None and target.author == self._client.user
        return job_id_of_message(target) if is_own and target is not None else None

    async def _rerun_job(
        self, request: MessageRequest, target: discord.Message | None, settings: GuildSettings
    ) -> None:
        parent = self._parent_job(target)
        if parent is None:
            raise JobNotFound("“again” repeats a result of mine: reply to one.")
        try:
            record = await self._services.jobs.reader.get_job(parent)
        except UnknownJob as error:
            raise JobNotFound from error
        if not guilds.may_use(request.context.user_id, record.owner):
            raise NotJobOwner(
                record.owner, "Say what to do instead, as in “make it a watercolour”."
            )
        await self._services.submitter.submit_rerun(
            request, with_new_seed(record), record, settings=settings
        )


def _as_edit(intent: ReplyIntent, model: str, *, is_masked: bool) -> ReplyIntent:
    """Follow an instruction by a model that edits: everywhere, or where the reply's file says."""
    settings = {n: v for n, v in intent.values.items() if n not in ("thing", "instead")}
    values = {**settings, "prompt": intent.instruction}
    job_type = InpaintJob if is_masked or intent.kind == InpaintJob.kind else Img2ImgJob
    return ReplyIntent(job_type.kind, fill_edit_values(job_type, values, model))


def _as_inpainting(intent: ReplyIntent) -> ReplyIntent:
    """Repaint the thing that an order names."""
    thing = str(intent.values["thing"]).replace('"', "")
    values = {
        "mask_shape": f'"{thing}"',
        "prompt": intent.values["instead"],
        "masked_content": "fill",
        "strength": REPLACING_STRENGTH,
    }
    return ReplyIntent("inpaint", values)


def _find_target(message: discord.Message) -> discord.Message | None:
    """Return the message that is replied to.

    Raises:
        MessageDeleted: it was deleted.
    """
    if message.reference is None:
        return None
    referenced_message = message.reference.resolved
    if isinstance(referenced_message, discord.DeletedReferencedMessage):
        raise MessageDeleted
    return referenced_message
