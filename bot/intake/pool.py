"""The decoders that the bot keeps ready, and what it makes of their answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from bot.errors import (
    BrokenPicture,
    NoDecoder,
    NotAPicture,
    OtherFormat,
    PictureRefused,
    TooHeavy,
    TooManyPixels,
)
from bot.intake.chunks import is_plain
from bot.intake.confinement import AVAILABLE
from bot.intake.decoder import Allowance, Decoder, DecoderLost
from bot.metadata import LONGEST
from bot.pictures import CheckedPicture, PictureLimits, check_bytes
from inference.infotext.told import Told

log = logging.getLogger(__name__)

DECODERS = 2  # pictures decoded at once
SECONDS = 10  # of processor time for one picture
PATIENCE = 20.0  # seconds for one picture
SERVED = 500  # files after which a decoder makes room for a fresh one
MAX_WORDS = 600  # characters of a refusal or note

REFUSALS: Mapping[str, type[PictureRefused]] = {
    refusal.__name__: refusal
    for refusal in (BrokenPicture, NotAPicture, OtherFormat, TooHeavy, TooManyPixels)
}
"""What a decoder may refuse with."""

T = TypeVar("T")


class Intake:
    """Reads members' files in decoder processes; any number may be asked for at once."""

    def __init__(
        self,
        limits: PictureLimits,
        *,
        decoders: int = DECODERS,
        seconds: int = SECONDS,
        patience: float = PATIENCE,
    ) -> None:
        self.limits = limits
        self._allowance = Allowance(limits.max_bytes, limits.max_pixels, seconds, patience)
        self._count = decoders
        # A thread waits for each decoder: threads and pipes work alike on every system.
        self._threads = ThreadPoolExecutor(decoders, thread_name_prefix="decoder")
        self._idle: queue.LifoQueue[Decoder] = queue.LifoQueue()
        self._closed = False

    def start(self) -> None:
        """Have all decoders ready before the first picture comes."""
        if not AVAILABLE:
            log.warning("This system limits no process: decoders are bounded by the clock alone.")
        for _ in range(self._count):
            self._threads.submit(self._renew)

    async def check(self, data: bytes, name: str) -> CheckedPicture:
        """Decode and re-encode a picture.

        Raises:
            PictureRefused: says what is wrong with it and what to change.
        """
        check_bytes(data, name, self.limits)
        return await self._in_thread(lambda: self._checked(data, name))

    async def parameters(self, data: bytes) -> str:
        """Read what a file says about its making; empty where it says nothing."""
        return await self._in_thread(lambda: self._parameters(data))

    async def making(self, data: bytes) -> Told | None:
        """Read what a file says about its making, for a job; None where it says nothing."""
        return await self._in_thread(lambda: self._making(data))

    def close(self) -> None:
        """End the decoders; those at work end with their file."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get_nowait().end()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _checked(self, data: bytes, name: str) -> CheckedPicture:
        try:
            head, body = self._ask({"work": "check", "name": name}, data)
        except DecoderLost as error:
            raise (TooHeavy(name) if error.by_signal else NoDecoder) from error
        if "refused" in head:
            refusal = REFUSALS.get(str(head["refused"]), BrokenPicture)
            raise refusal.said(str(head.get("words"))[:MAX_WORDS])
        picture = _believed(head, body, self.limits)
        if picture is None:
            log.warning("A decoder answered with something that is no plain picture.")
            raise BrokenPicture(name)
        return picture

    def _parameters(self, data: bytes) -> str:
        if len(data) > self.limits.max_bytes:
            return ""
        try:
            head, _ = self._ask({"work": "parameters", "name": ""}, data)
        except DecoderLost:
            return ""
        return str(head.get("text", ""))[:LONGEST]

    def _making(self, data: bytes) -> Told | None:
        if len(data) > self.limits.max_bytes:
            return None
        try:
            head, _ = self._ask({"work": "making", "name": ""}, data)
        except DecoderLost:
            return None
        return Told.decode(head.get("told"))

    def _ask(self, head: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Ask a decoder that is free; blocks.

        Raises:
            DecoderLost: it did not survive the file, and was replaced.
        """
        decoder = self._take()
        try:
            answer = decoder.ask(head, data)
        except DecoderLost as error:
            digest = hashlib.sha256(data).hexdigest()
            log.warning("A decoder was lost to the file of SHA-256 %s: %s.", digest, error)
            self._renew()
            raise
        if decoder.served < SERVED:
            self._keep(decoder)
        else:
            decoder.end()
            self._renew()
        return answer

    def _take(self) -> Decoder:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return Decoder(self._allowance)

    def _renew(self) -> None:
        """Have one more ready; if that fails now, the next file tries again."""
        with contextlib.suppress(DecoderLost):
            self._keep(Decoder(self._allowance))

    def _keep(self, decoder: Decoder) -> None:
        if self._closed or self._idle.qsize() >= self._count:
            decoder.end()
        else:
            self._idle.put(decoder)


def _believed(head: Mapping[str, Any], body: bytes, limits: PictureLimits) -> CheckedPicture | None:
    """Read a decoder's answer with doubt: it has touched what a stranger sent."""
    width, height, notes = head.get("width"), head.get("height"), head.get("notes")
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(notes, list)):
        return None
    if not 0 < width * height <= limits.max_pixels or not is_plain(body, width, height):
        return None
    told = tuple(str(note)[:MAX_WORDS] for note in notes)
    return CheckedPicture(data=body, width=width, height=height, notes=told)
