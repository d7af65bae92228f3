"""What may be shown of a result, and gone on from: decided once a result, and then kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import discord

from bot.errors import NotAllowed
from bot.gate import Gate
from bot.moderation.log import LogChannel
from bot.policy import Asker, Rules
from bot.reply_to import ReplyTo
from bot.requests import is_restricted
from bot.safety.detector import Detector, NoDetector
from bot.safety.minors import sexualises_minors
from bot.sentences import english
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.moderation import ModerationStore, Screening, Verdict
from storage.records import JobRecord, JobState

log = logging.getLogger(__name__)

NEGATIVE = "\nNegative prompt:"
"""Where the words for what should not be there begin in a `parameters` text."""

CLEAN = Screening(verdict=Verdict.CLEAN)
UNCHECKED, SPOILER, HOLD = "unchecked", "spoiler", "hold"
MINORS = english("its words, as they were in the end, can be read as a sexual picture of minors")
FOUND = english("the picture check takes it for something that is not for everybody")
MISSING = english(
    "this server has pictures checked, and the check does not work at the moment. The result is "
    "kept: /history shows it when the check works again"
)


class Screen:
    """Looks at pictures that go in and come out."""

    def __init__(
        self,
        client: discord.Client,
        gate: Gate,
        blobs: BlobStore,
        detector: Detector,
        store: ModerationStore | None,
        told: LogChannel,
    ) -> None:
        self._client = client
        self._gate = gate
        self._blobs = blobs
        self._detector = detector
        self._store = store
        self._log = told

    async def check_input(self, guild: str | None, asker: Asker, pictures: Iterable[bytes]) -> None:
        """Refuse pictures that may not be worked on where they are asked for.

        Raises:
            NotAllowed: one is not for everybody, or cannot be checked where it must be.
        """
        rules = await self._gate.rules(guild)
        action = action_of(rules, age_restricted=asker.age_restricted)
        if action == UNCHECKED:
            return
        for data in pictures:
            try:
                score = await self._detector.score(data)
            except NoDetector as error:
                log.warning("A picture was not checked: %s", error)
                if asker.age_restricted:
                    continue
                raise NotAllowed(
                    "This server has pictures checked, and the check does not work at the moment. "
                    "Ask again later, or in an age-restricted channel."
                ) from error
            if action == "block" and score >= rules.nsfw_threshold:
                raise NotAllowed(
                    "That picture is not worked on here: the check takes it for something that is "
                    "not for everybody. It errs at times; a moderator can tell you where to ask."
                )

    async def alarm(self, guild: str | None, owner: str) -> None:
        """Tell moderators that somebody asked for what no server can allow."""
        await self._log.refused(guild, owner)

    async def may_preview(self, record: JobRecord) -> bool:
        """Whether an unfinished picture may be shown: not where finished ones are checked."""
        rules = await self._gate.rules(record.guild)
        return action_of(rules, age_restricted=self._is_restricted(record)) == UNCHECKED

    async def look(self, record: JobRecord) -> Screening:
        """Decide what may be shown of a job's result, or remember what was decided."""
        if record.state is not JobState.DONE or not _pictures(record):
            return CLEAN
        known = None if self._store is None else await self._store.screening(record.id)
        if known is not None:
            return known
        screening, is_final = await self._decide(record)
        if is_final and self._store is not None:
            await self._store.decide(record.id, screening)
            await self._tell(record, screening)
        return screening

    async def _decide(self, record: JobRecord) -> tuple[Screening, bool]:
        """Return what may be shown, and whether that should be remembered."""
        if any(sexualises_minors(_words(picture)) for picture in _pictures(record)):
            return Screening(verdict=Verdict.BLOCKED, reason=MINORS), True
        rules, is_restricted = await self._gate.rules(record.guild), self._is_restricted(record)
        action = action_of(rules, age_restricted=is_restricted)
        if action == UNCHECKED:
            return CLEAN, False
        try:
            score = await self._highest(record)
        except NoDetector as error:
            log.warning("The result of %s was not checked: %s", record.id, error)
            missing = Screening(verdict=Verdict.BLOCKED, reason=MISSING)
            return (CLEAN if is_restricted else missing), False
        if score < rules.nsfw_threshold:
            return CLEAN, True
        verdict = {SPOILER: Verdict.SPOILER, HOLD: Verdict.HELD}.get(action, Verdict.BLOCKED)
        return Screening(verdict=verdict, reason=FOUND), True

    async def _highest(self, record: JobRecord) -> float:
        scores = [0.0]
        for picture in _pictures(record):
            try:
                scores.append(await self._detector.score(await self._blobs.get(picture["key"])))
            except BlobMissing:
                continue  # what is gone cannot be shown either
        return max(scores)

    def _is_restricted(self, record: JobRecord) -> bool:
        """Whether the channel of a job is age-restricted now; one that is not known is not."""
        there = ReplyTo.decode(record.reply_to)
        guild = None if there is None else self._client.get_guild(there.guild_id or 0)
        channel = guild and there and guild.get_channel_or_thread(there.channel_id)
        return is_restricted(channel)

    async def _tell(self, record: JobRecord, screening: Screening) -> None:
        if screening.verdict is Verdict.HELD and self._store is not None and record.guild:
            await self._store.open(record.guild, record.id, "held", reason=screening.reason)
        if screening.verdict in (Verdict.HELD, Verdict.BLOCKED):
            await self._log.withheld(record, screening)


def action_of(rules: Rules, *, age_restricted: bool) -> str:
    """Return what a server wants done with pictures that are not for everybody."""
    return rules.nsfw_restricted if age_restricted else rules.nsfw_ordinary


def _pictures(record: JobRecord) -> tuple[Mapping[str, Any], ...]:
    return tuple((record.result or {}).get("pictures") or ())


def _words(picture: Mapping[str, Any]) -> str:
    """Return the prompt that made a picture in the end: wildcards drawn, captions added."""
    infotext = str(picture.get("infotext") or "")
    prompt, mark, _ = infotext.rpartition(NEGATIVE)
    return prompt if mark else infotext.rpartition("\n")[0]
