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
)
from bot.support.child_process import ChildCrashed, ChildProcess
from bot.uploads.metadata import MAX_SHOWN_CHARACTERS
from bot.uploads.plain_images import is_plain_image
from bot.uploads.sandbox import LIMITS_AVAILABLE, PROTECTIONS
from bot.uploads.validation import (
    ALLOWED_FORMATS,
    FIRST_FRAME_NOTE,
    IMAGE_TRAITS,
    CheckedImage,
    ImageLimits,
    check_bytes,
    classify_unreadable,
    find_size_fault,
    reject_bomb,
)
from inference.api.infotext.readers import GenerationInfo

log = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DECODER_MODULE = "bot.uploads"
PASSED_ENV_VARS = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV", "LANG", "LC_ALL")
"""What a decoder gets of the bot's environment: no token, no address."""

# glibc: give memory back at once, and no arena a thread.
MALLOC_SETTINGS = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1"}
FILE_OVERHEAD_BYTES = 1 << 16  # bytes of a plain picture beyond its pixels

MIN_DECODERS, MAX_DECODERS = 2, 8  # pictures decoded at once
CORES_PER_DECODER = 2
DECODE_CPU_SECONDS = 10  # of processor time for one picture
DECODE_TIMEOUT_SECONDS = 20.0  # seconds for one picture
WAIT_TIMEOUT_SECONDS = 120.0  # seconds for one picture with those before it
MAX_FILES_PER_DECODER = 500  # files after which a decoder makes room for a fresh one
MAX_LOGGED_CHARACTERS = 2000  # of what a decoder says went wrong with it
MAX_HEADER_SIDE = 1 << 32  # pixels: beyond what any format's header can say

T = TypeVar("T")


class DecoderPool:
    """Reads members' files in decoder processes; any number may be asked for at once."""

    def __init__(
        self,
        limits: ImageLimits,
        *,
        decoders: int | None = None,
        cpu_seconds: int = DECODE_CPU_SECONDS,
        timeout_seconds: float = DECODE_TIMEOUT_SECONDS,
    ) -> None:
        self.limits = limits
        self._cpu_seconds = cpu_seconds
        self._timeout_seconds = timeout_seconds
        self._count = count_decoders(_count_cores()) if decoders is None else decoders
        # A thread waits for each decoder: threads and pipes work alike on every system.
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="decoder")
        self._idle: queue.LifoQueue[ChildProcess] = queue.LifoQueue()
        self._closed = False

    def start(self) -> None:
        """Have some decoders ready before the first picture comes; more start when needed."""
        if not LIMITS_AVAILABLE:
            log.warning("This system limits no process: decoders are bounded by the clock alone.")
        for _ in range(min(self._count, MIN_DECODERS)):
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
        try:
            return await self._in_thread(lambda: self._decode_generation_text(data))
        except NoDecoder:
            return ""

    async def read_generation_info(self, data: bytes) -> GenerationInfo | None:
        """Read what a file says about its making, for a job; None where it says nothing."""
        try:
            return await self._in_thread(lambda: self._decode_generation_info(data))
        except NoDecoder:
            return None

    async def list_protections(self) -> tuple[str, ...]:
        """Name the layers of `sandbox.PROTECTIONS` that hold a decoder on this host.

        Raises:
            NoDecoder: none starts here.
        """
        return await self._in_thread(self._list_protections)

    def close(self) -> None:
        """End the decoders; those at work end with their file."""
        self._closed = True
        while not self._idle.empty():
            self._idle.get_nowait().shut_down()
        # Last: a decoder is ended with the thread that started it.
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Have a decoder's work done when its turn comes.

        Raises:
            NoDecoder: its turn did not come in time; what waits is called off.
        """
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(self._threads.submit(work)), WAIT_TIMEOUT_SECONDS
            )
        except TimeoutError as error:
            raise NoDecoder from error

    def _decode_image(self, data: bytes, name: str) -> CheckedImage:
        try:
            head, body = self._send_request({"work": "check", "name": name}, data)
        except ChildCrashed as error:
            raise (DecodeLimitExceeded(name) if error.by_signal else NoDecoder) from error
        if "refused" in head:
            raise _read_refusal(head, data, name, self.limits)
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

    def _list_protections(self) -> tuple[str, ...]:
        try:
            head, _ = self._send_request({"work": "protections", "name": ""}, b"")
        except ChildCrashed as error:
            raise NoDecoder from error
        held = head.get("protections") or ()
        return tuple(name for name in PROTECTIONS if name in held)

    def _send_request(self, head: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Ask a decoder that is free; blocks.

        Raises:
            ChildCrashed: it did not survive the file, and was replaced.
        """
        decoder = self._take_decoder()
        try:
            # The answer may be larger than the file, never larger than its bare pixels.
            answer = decoder.send_request(
                head,
                data,
                timeout_seconds=self._timeout_seconds,
                max_body_bytes=5 * self.limits.max_pixels + FILE_OVERHEAD_BYTES,
            )
            if "fault" in answer[0]:
                fault = ascii(answer[0]["fault"])[:MAX_LOGGED_CHARACTERS]
                log.warning("A decoder failed: %s", fault)
                decoder.shut_down()
                raise ChildCrashed("it failed by itself")
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


def count_decoders(cores: int) -> int:
    """Say how many pictures are decoded at once on so many cores: half of them, within bounds.

    The others are for the bot, a worker on the processor and the database. Each decoder may take
    the memory that its limits allow.
    """
    return min(MAX_DECODERS, max(MIN_DECODERS, cores // CORES_PER_DECODER))


def _count_cores() -> int:
    """Count the cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_refusal(
    head: Mapping[str, Any], data: bytes, name: str, limits: ImageLimits
) -> ImageRejected:
    """Say a decoder's refusal in the bot's own words: of its own, nothing reaches a member."""
    match head:
        case {"refused": "TooManyPixels", "size": [0, 0]}:
            return reject_bomb(name, limits)
        case {"refused": "TooManyPixels", "size": [int(width), int(height)], "format": form} if (
            min(width, height) >= 0 and max(width, height) < MAX_HEADER_SIDE
        ):
            image_format = form if form in ALLOWED_FORMATS else ""
            fault = find_size_fault(name, (width, height), image_format, limits)
            return fault or BrokenImage(name)
        case {"refused": "NotAnImage" | "UnsupportedFormat"}:
            return classify_unreadable(data, name)
        case {"refused": "DecodeLimitExceeded"}:
            return DecodeLimitExceeded(name)
    return BrokenImage(name)


def _validate_answer(
    head: Mapping[str, Any], body: bytes, limits: ImageLimits
) -> CheckedImage | None:
    """Read a decoder's answer with doubt: it has touched what a stranger sent."""
    width, height = head.get("width"), head.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return None
    if not 0 < width * height <= limits.max_pixels or not is_plain_image(body, width, height):
        return None
    notes = (FIRST_FRAME_NOTE,) if head.get("animated") is True else ()
    named_traits = head.get("traits")
    traits = named_traits if isinstance(named_traits, list) else []
    return CheckedImage(
        data=body,
        width=width,
        height=height,
        notes=notes,
        traits=frozenset(trait for trait in IMAGE_TRAITS if trait in traits),
    )
