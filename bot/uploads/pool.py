"""The decoders that the bot keeps ready, and what it makes of their answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import queue
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from bot.errors import (
    BrokenImage,
    DecodeLimitExceeded,
    ImageRejected,
    NoDecoder,
    NotAnImage,
    TooManyPixels,
    UnsupportedFormat,
)
from bot.support.child_process import ChildCrashed, ChildProcess
from bot.uploads.metadata import MAX_SHOWN_CHARACTERS
from bot.uploads.png_chunks import is_plain_png
from bot.uploads.sandbox import LIMITS_AVAILABLE
from bot.uploads.validation import CheckedImage, ImageLimits, check_bytes
from inference.api.infotext.readers import GenerationInfo

log = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DECODER_MODULE = "bot.uploads"
PASSED_ENV_VARS = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV", "LANG", "LC_ALL")
"""What a decoder gets of the bot's environment: no token, no address."""

# glibc: give memory back at once, and no arena a thread.
MALLOC_SETTINGS = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1"}
PNG_OVERHEAD_BYTES = 1 << 16  # bytes of a PNG beyond its pixels

DECODER_COUNT = 2  # pictures decoded at once
DECODE_CPU_SECONDS = 10  # of processor time for one picture
DECODE_TIMEOUT_SECONDS = 20.0  # seconds for one picture
MAX_FILES_PER_DECODER = 500  # files after which a decoder makes room for a fresh one
MAX_NOTE_CHARS = 600  # characters of a refusal or note

REFUSAL_TYPES: Mapping[str, type[ImageRejected]] = {
    refusal.__name__: refusal
    for refusal in (BrokenImage, NotAnImage, UnsupportedFormat, DecodeLimitExceeded, TooManyPixels)
}
"""What a decoder may refuse with."""

T = TypeVar("T")


class DecoderPool:
    """Reads members' files in decoder processes; any number may be asked for at once."""

    def __init__(
        self,
        limits: ImageLimits,
        *,
        decoders: int = DECODER_COUNT,
        cpu_seconds: int = DECODE_CPU_SECONDS,
        timeout_seconds: float = DECODE_TIMEOUT_SECONDS,
    ) -> None:
        self.limits = limits
        self._cpu_seconds = cpu_seconds
        self._timeout_seconds = timeout_seconds
        self._count = decoders
        # A thread waits for each decoder: threads and pipes work alike on every system.
        self._threads = ThreadPoolExecutor(decoders, thread_name_prefix="decoder")
        self._idle: queue.LifoQueue[ChildProcess] = queue.LifoQueue()
        self._closed = False

    def start(self) -> None:
        """Have all decoders ready before the first picture comes."""
        if not LIMITS_AVAILABLE:
            log.warning("This system limits no process: decoders are bounded by the clock alone.")
        for _ in range(self._count):
            self._threads.submit(self._add_decoder)

    async def check_image(self, data: bytes, name: str) -> CheckedImage:
        """Decode and re-encode a picture.

        Raises:
            ImageRejected: says what is wrong with it and what to change.
        """
        check_bytes(data, name, self.limits)
        return await self._in_thread(lambda: self._decode_image(data, name))

    async def read_generation_text(self, data: bytes) -> str:
        """Read what a file says about its making; empty where it says nothing."""
        return await self._in_thread(lambda: self._decode_generation_text(data))

    async def read_generation_info(self, data: bytes) -> GenerationInfo | None:
        """Read what a file says about its making, for a job; None where it says nothing."""
        return await self._in_thread(lambda: self._decode_generation_info(data))

    def close(self) -> None:
        """End the decoders; those at work end with their file."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get_nowait().shut_down()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _decode_image(self, data: bytes, name: str) -> CheckedImage:
        try:
            head, body = self._send_request({"work": "check", "name": name}, data)
        except ChildCrashed as error:
            raise (DecodeLimitExceeded(name) if error.by_signal else NoDecoder) from error
        if "refused" in head:
            refusal = REFUSAL_TYPES.get(str(head["refused"]), BrokenImage)
            given_values = head.get("values")
            values = given_values if isinstance(given_values, dict) else {}
            raise refusal.from_message(
                str(head.get("words"))[:MAX_NOTE_CHARS],
                {str(name): str(value)[:MAX_NOTE_CHARS] for name, value in values.items()},
            )
        image = _validate_answer(head, body, self.limits)
        if image is None:
            log.warning("A decoder answered with something that is no plain picture.")
            raise BrokenImage(name)
        return image

    def _decode_generation_text(self, data: bytes) -> str:
        if len(data) > self.limits.max_bytes:
            return ""
        try:
            head, _ = self._send_request({"work": "parameters", "name": ""}, data)
        except ChildCrashed:
            return ""
        return str(head.get("text", ""))[:MAX_SHOWN_CHARACTERS]

    def _decode_generation_info(self, data: bytes) -> GenerationInfo | None:
        if len(data) > self.limits.max_bytes:
            return None
        try:
            head, _ = self._send_request({"work": "making", "name": ""}, data)
        except ChildCrashed:
            return None
        return GenerationInfo.from_dict(head.get("told"))

    def _send_request(self, head: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Ask a decoder that is free; blocks.

        Raises:
            ChildCrashed: it did not survive the file, and was replaced.
        """
        decoder = self._take_decoder()
        try:
            # The answer's PNG may be larger than the file, never larger than its bare pixels.
            answer = decoder.send_request(
                head,
                data,
                timeout_seconds=self._timeout_seconds,
                max_body_bytes=5 * self.limits.max_pixels + PNG_OVERHEAD_BYTES,
            )
        except ChildCrashed as error:
            digest = hashlib.sha256(data).hexdigest()
            log.warning("A decoder was lost to the file of SHA-256 %s: %s.", digest, error)
            self._add_decoder()
            raise
        if decoder.served < MAX_FILES_PER_DECODER:
            self._return_decoder(decoder)
        else:
            decoder.shut_down()
            self._add_decoder()
        return answer

    def _start_decoder(self) -> ChildProcess:
        passed_on = {name: os.environ[name] for name in PASSED_ENV_VARS if name in os.environ}
        limits = (self.limits.max_bytes, self.limits.max_pixels, self._cpu_seconds)
        return ChildProcess(
            [sys.executable, "-P", "-m", DECODER_MODULE, *map(str, limits)],
            {**passed_on, **MALLOC_SETTINGS, "PYTHONPATH": str(PROJECT_ROOT)},
            detached=True,
        )

    def _take_decoder(self) -> ChildProcess:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._start_decoder()

    def _add_decoder(self) -> None:
        """Have one more ready; if that fails now, the next file tries again."""
        with contextlib.suppress(ChildCrashed):
            self._return_decoder(self._start_decoder())

    def _return_decoder(self, decoder: ChildProcess) -> None:
        if self._closed or self._idle.qsize() >= self._count:
            decoder.shut_down()
        else:
            self._idle.put(decoder)


def _validate_answer(
    head: Mapping[str, Any], body: bytes, limits: ImageLimits
) -> CheckedImage | None:
    """Read a decoder's answer with doubt: it has touched what a stranger sent."""
    width, height, notes = head.get("width"), head.get("height"), head.get("notes")
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(notes, list)):
        return None
    if not 0 < width * height <= limits.max_pixels or not is_plain_png(body, width, height):
        return None
    checked_notes = tuple(str(note)[:MAX_NOTE_CHARS] for note in notes)
    return CheckedImage(data=body, width=width, height=height, notes=checked_notes)
