from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.errors import ImageRejected
from bot.uploads.pool import DecoderPool
from tests.bot.uploads.hostile import CORPUS, cut_off
from tests.doubles.images import pixels

MOST = 305 * 10**6  # bytes of memory for any file
ADVICE = ("Attach", "Save", "Scale", "Choose")


def decoder(intake: DecoderPool) -> int:
    """The process id of the one decoder of an intake."""
    (only,) = intake._idle.queue
    return only.pid


@contextmanager
def watched(intake: DecoderPool) -> Iterator[None]:
    """Hold that the decoder outlives what it is given, and stays within its memory."""
    pid = decoder(intake)
    forget_peak = Path(f"/proc/{pid}/clear_refs")
    if on_linux := sys.platform == "linux":
        forget_peak.write_text("5", encoding="ascii")
    yield
    assert decoder(intake) == pid, "the decoder was lost: it crashed or took too long"
    if on_linux:
        assert most_memory(pid) <= MOST


def most_memory(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def judged(intake: DecoderPool, name: str, data: bytes) -> type[ImageRejected] | None:
    """Send a file in; return the refusal's kind, or None for a picture."""
    try:
        image = await intake.check_image(data, name)
    except ImageRejected as refusal:
        words = str(refusal)
        assert words.startswith(name)
        assert any(verb in words for verb in ADVICE)
        return type(refusal)
    found = pixels(image.data)
    assert found.size == (image.width, image.height)
    assert found.info == {}
    return None


def test_the_corpus_is_large():
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("name", CORPUS)
async def test_a_hostile_file_is_a_picture_or_refused_with_words(strict, name):
    build, expected = CORPUS[name]
    await strict.read_generation_text(b"")

    with watched(strict):
        found = await judged(strict, name, build())

    if expected is not ImageRejected:
        assert found is expected


@pytest.mark.parametrize("name", CORPUS)
async def test_its_parameters_can_be_asked_for_without_harm(strict, name):
    build, _ = CORPUS[name]
    await strict.read_generation_text(b"")

    with watched(strict):
        assert isinstance(await strict.read_generation_text(build()), str)
    pid = decoder(strict)
    await strict.read_generation_info(build())
    assert decoder(strict) == pid


async def test_a_file_cut_off_anywhere_is_a_picture_or_refused_with_words(strict):
    await strict.read_generation_text(b"")

    with watched(strict):
        for name, data in cut_off():
            await judged(strict, name, data)
