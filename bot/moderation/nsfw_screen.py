"""What may be shown of a result, and gone on from: decided once a result, and then kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import discord

from bot.errors import NotAllowed
from bot.filters.patterns import run_beside_loop
from bot.filters.prompt_filter import sexualises_minors
from bot.guilds import GuildSettings, RequestContext
from bot.guilds.context import is_age_restricted
from bot.guilds.policy import GuildPolicy
from bot.i18n.message import gettext_noop
from bot.moderation.log_channel import LogChannel
from bot.moderation.nsfw_process import DetectorUnavailable, NsfwDetector
from bot.requests.reply_target import ReplyTarget
from inference.api.errors import JobError
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import InterrogateJob, decode_job
from inference.api.jobs.drawn_prompts import DrawnPrompts, read_pulled_texts
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.moderation import ModerationStore, ScreeningRecord, Verdict
from storage.records import JobRecord, JobState

log = logging.getLogger(__name__)

NEGATIVE_PROMPT_MARK = "\nNegative prompt:"
"""Where the words for what should not be there begin in a `parameters` text."""

CLEAN_SCREENING = ScreeningRecord(verdict=Verdict.CLEAN)
UNCHECKED_ACTION, SPOILER_ACTION, HOLD_ACTION = "unchecked", "spoiler", "hold"
MINORS_REASON = gettext_noop(
    "its words, as they were in the end, can be read as a sexual picture of minors"
)
NSFW_REASON = gettext_noop("the picture check takes it for something that is not for everybody")
CHECK_UNAVAILABLE_TEXT = gettext_noop(
    "This server has pictures checked, and the check does not work at the moment. "
    "Ask again later, or in an age-restricted channel."
)
UNAVAILABLE_REASON = gettext_noop(
    "this server has pictures checked, and the check does not work at the moment. The result is "
    "kept: /history shows it when the check works again"
)


class NsfwScreen:
    """Looks at pictures that go in and come out."""

    def __init__(
        self,
        client: discord.Client,
        policy: GuildPolicy,
        blobs: BlobStore,
        detector: NsfwDetector,
        store: ModerationStore,
        log_channel: LogChannel,
    ) -> None:
        self._client = client
        self._policy = policy
        self._blobs = blobs
        self._detector = detector
        self._store = store
        self._log_channel = log_channel
        #: Servers whose moderators know that the check does not work, until it does.
        self._warned_guilds: set[str | None] = set()

    async def check_input(
        self, settings: GuildSettings, context: RequestContext, images: Iterable[bytes]
    ) -> None:
        """Refuse pictures that may not be worked on where they are asked for.

        Raises:
            NotAllowed: one is not for everybody, or cannot be checked where it must be.
        """
        action = nsfw_action(settings, age_restricted=context.age_restricted)
        if action == UNCHECKED_ACTION:
            return
        if not context.age_restricted and not await self._detector.is_available():
            if context.guild_id not in self._warned_guilds:
                self._warned_guilds.add(context.guild_id)
                await self._log_channel.post_unchecked(context.guild_id)
            raise NotAllowed(CHECK_UNAVAILABLE_TEXT)  # before the GPU works for nothing
        self._warned_guilds.discard(context.guild_id)
        for data in images:
            try:
                score = await self._detector.score_image(data)
            except DetectorUnavailable as error:
                log.warning("A picture was not checked: %s", error)
                if context.age_restricted:
                    continue
                raise NotAllowed(CHECK_UNAVAILABLE_TEXT) from error
            if action == "block" and score >= settings.nsfw_threshold:
                raise NotAllowed(
                    "That picture is not worked on here: the check takes it for something that is "
                    "not for everybody. It errs at times; a moderator can tell you where to ask."
                )

    async def check_result(
        self, settings: GuildSettings, context: RequestContext, record: JobRecord
    ) -> None:
        """Refuse to show a result in a place that would not have let it be shown there.

        What its own server withholds is withheld by `screen`, wherever it turns up.

        Raises:
            NotAllowed: the place shows nothing of the kind, or cannot have it checked.
        """
        stored_screening = await self._store.get_screening(record.id)
        verdict = Verdict.CLEAN if stored_screening is None else stored_screening.verdict
        action = nsfw_action(settings, age_restricted=context.age_restricted)
        is_own_server = context.guild_id == record.guild
        if (
            action == UNCHECKED_ACTION
            or not _shown_images(record)
            or verdict not in (Verdict.CLEAN, Verdict.SPOILER)
            or (is_own_server and verdict is Verdict.CLEAN)  # `screen` decides, or a moderator did
        ):
            return
        if not is_own_server:
            try:
                score = await self._highest_score(record)
            except DetectorUnavailable as error:
                log.warning("The result of %s was not checked: %s", record.id, error)
                if context.age_restricted:
                    return
                raise NotAllowed(CHECK_UNAVAILABLE_TEXT) from error
            if score < settings.nsfw_threshold:
                return
        if action != SPOILER_ACTION:
            raise NotAllowed(
                "That result is not shown here: the check takes it for something that is not for "
                "everybody. It is kept; `/history` shows it to you alone."
            )
        await self._store.save_screening(
            record.id, ScreeningRecord(verdict=Verdict.SPOILER, reason=NSFW_REASON)
        )

    async def report_refusal(self, guild: str | None, owner: str) -> None:
        """Tell moderators that somebody asked for what no server can allow."""
        await self._log_channel.post_refusal(guild, owner)

    async def may_preview(self, record: JobRecord) -> bool:
        """Whether an unfinished picture may be shown: not where finished ones are checked."""
        rules = await self._policy.guild_settings(record.guild)
        return nsfw_action(rules, age_restricted=self._is_restricted(record)) == UNCHECKED_ACTION

    async def screen(self, record: JobRecord) -> ScreeningRecord:
        """Decide what may be shown of a job's result, or remember what was decided."""
        if record.state is not JobState.DONE or not _shown_images(record):
            return CLEAN_SCREENING
        stored_screening = await self._store.get_screening(record.id)
        if stored_screening is not None:
            return stored_screening
        screening, is_final = await self._screen_result(record)
        if is_final:
            await self._store.save_screening(record.id, screening)
            await self._notify_moderators(record, screening)
        return screening

    async def _screen_result(self, record: JobRecord) -> tuple[ScreeningRecord, bool]:
        """Return what may be shown, and whether that should be remembered."""
        if await run_beside_loop(_sexualises_minors, record):
            return ScreeningRecord(verdict=Verdict.BLOCKED, reason=MINORS_REASON), True
        rules, is_restricted = (
            await self._policy.guild_settings(record.guild),
            self._is_restricted(record),
        )
        action = nsfw_action(rules, age_restricted=is_restricted)
        if action == UNCHECKED_ACTION:
            return CLEAN_SCREENING, False
        try:
            score = await self._highest_score(record)
        except DetectorUnavailable as error:
            log.warning("The result of %s was not checked: %s", record.id, error)
            missing = ScreeningRecord(verdict=Verdict.BLOCKED, reason=UNAVAILABLE_REASON)
            return (CLEAN_SCREENING if is_restricted else missing), False
        if score < rules.nsfw_threshold:
            return CLEAN_SCREENING, True
        verdict = {SPOILER_ACTION: Verdict.SPOILER, HOLD_ACTION: Verdict.HELD}.get(
            action, Verdict.BLOCKED
        )
        return ScreeningRecord(verdict=verdict, reason=NSFW_REASON), True

    async def _highest_score(self, record: JobRecord) -> float:
        scores = [0.0]
        for image in _shown_images(record):
            try:
                scores.append(await self._detector.score_image(await self._blobs.get(image["key"])))
            except BlobMissing:
                continue  # what is gone cannot be shown either
        return max(scores)

    def _is_restricted(self, record: JobRecord) -> bool:
        """Whether the channel of a job is age-restricted now; one that is not known is not."""
        reply_target = ReplyTarget.from_json(record.reply_to)
        guild = None if reply_target is None else self._client.get_guild(reply_target.guild_id or 0)
        channel = guild and reply_target and guild.get_channel_or_thread(reply_target.channel_id)
        return is_age_restricted(channel)

    async def _notify_moderators(self, record: JobRecord, screening: ScreeningRecord) -> None:
        if screening.verdict is Verdict.HELD and record.guild:
            await self._store.open_case(record.guild, record.id, "held", reason=screening.reason)
        if screening.verdict in (Verdict.HELD, Verdict.BLOCKED):
            await self._log_channel.post_withheld(record, screening)


def nsfw_action(rules: GuildSettings, *, age_restricted: bool) -> str:
    """Return what a server wants done with pictures that are not for everybody."""
    return rules.nsfw_restricted if age_restricted else rules.nsfw_ordinary


def _result_images(record: JobRecord) -> tuple[Mapping[str, Any], ...]:
    return tuple((record.result or {}).get("pictures") or ())


def _shown_images(record: JobRecord) -> tuple[Mapping[str, Any], ...]:
    """List what a result shows: a description shows the picture that it is of."""
    if record.kind == InterrogateJob.kind and "image" in record.inputs:
        return ({"key": record.inputs["image"]}, *_result_images(record))
    return _result_images(record)


def final_prompts(record: JobRecord) -> list[str]:
    """Return the words that a result's pictures followed in the end."""
    return [_image_words(record, image) for image in _result_images(record)]


def _sexualises_minors(record: JobRecord) -> bool:
    return any(map(sexualises_minors, set(final_prompts(record))))


def _image_words(record: JobRecord, image: Mapping[str, Any]) -> str:
    """Return what a picture followed in the end: wildcards drawn, captions added.

    That is its prompt, its hires fix's, and the negative ones where the weights turned them into
    such.
    """
    infotext = str(image.get("infotext") or "")
    texts, _, _ = f"\n{infotext}".rpartition("\n")
    prompt, mark, negative = texts.rpartition(NEGATIVE_PROMPT_MARK)
    guidance = float(record.params.get("guidance") or 1.0)
    first = DrawnPrompts(prompt if mark else texts, negative if mark else "", guidance)
    values = parse_infotext(infotext).values
    second = DrawnPrompts(
        values.get("Hires prompt", first.prompt),
        values.get("Hires negative prompt", first.negative),
        float(record.params.get("hires_guidance") or guidance),
    )
    passes = tuple(dict.fromkeys((first, second)))
    try:
        return read_pulled_texts(decode_job(record.kind, record.params), passes)
    except JobError:
        return "\n".join(f"{drawn.prompt}\n{drawn.negative}" for drawn in passes)
