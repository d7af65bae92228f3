from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from bot.errors import (
    BrokenImage,
    DecodeLimitExceeded,
    EmptyFile,
    FileTooLarge,
    ImageRejected,
    NoDecoder,
    NotAnImage,
    TooManyPixels,
    UnsupportedFormat,
)
from bot.uploads import pool
from bot.uploads.pool import DecoderPool, count_decoders
from bot.uploads.validation import ImageLimits, check_image
from tests.doubles.decoders import DEEDS
from tests.doubles.images import animation, bomb, png

LIMITS = ImageLimits(max_bytes=1 << 20, max_pixels=1 << 20)
confined = pytest.mark.skipif(sys.platform != "linux", reason="limits differ elsewhere")


@pytest.fixture(scope="module")
def intake() -> Iterator[DecoderPool]:
    intake = DecoderPool(LIMITS)
    intake.start()
    yield intake
    intake.close()


@pytest.fixture
def evil(monkeypatch) -> Iterator[DecoderPool]:
    """One decoder that does what its files say."""
    monkeypatch.setattr(pool, "DECODER_MODULE", "tests.doubles.decoders")
    intake = DecoderPool(LIMITS, decoders=1, cpu_seconds=1)
    yield intake
    intake.close()


def pids(intake: DecoderPool) -> set[int]:
    return {one.pid for one in intake._idle.queue}


async def words(intake: DecoderPool, deed: bytes) -> str:
    """What the decoder says itself, which the bot tells nobody."""
    head, _ = intake._send_request({"work": "check", "name": "a.png"}, deed)
    return str(head["words"])


@pytest.mark.parametrize(
    ("cores", "count"), [(1, 2), (2, 2), (4, 2), (6, 3), (8, 4), (16, 8), (256, 8)]
)
def test_half_the_cores_decode_within_bounds(cores, count):
    assert count_decoders(cores) == count


async def test_a_picture_comes_back_plain(intake):
    image = await intake.check_image(animation("GIF", size=(16, 12)), "film.gif")
    assert (image.width, image.height) == (16, 12)
    assert image.notes == ("Only the first frame of the animation is used.",)


async def test_a_refusal_comes_back_as_what_it_is(intake):
    with pytest.raises(NotAnImage, match=r"a\.png is not a picture"):
        await intake.check_image(b"words", "a.png")


@pytest.mark.parametrize(("data", "refusal"), [(b"", EmptyFile), (b"x" * 2**21, FileTooLarge)])
async def test_bytes_are_bounded_before_a_decoder_sees_them(monkeypatch, data, refusal):
    intake = DecoderPool(LIMITS)
    monkeypatch.setattr(DecoderPool, "_send_request", lambda *_: pytest.fail("it was asked"))
    with pytest.raises(refusal):
        await intake.check_image(data, "a.png")
    assert await intake.read_generation_text(b"x" * 2**21) == ""
    intake.close()


async def test_decoders_are_reused(intake):
    await asyncio.gather(*(intake.check_image(png(), "a.png") for _ in range(6)))
    before = pids(intake)
    await asyncio.gather(*(intake.check_image(png(), "a.png") for _ in range(6)))
    assert pids(intake) == before
    assert len(before) <= intake._count


async def test_a_decoder_makes_room_for_a_fresh_one_in_time(monkeypatch):
    monkeypatch.setattr(pool, "MAX_FILES_PER_DECODER", 2)
    intake = DecoderPool(LIMITS, decoders=1)
    await intake.check_image(png(), "a.png")
    first = pids(intake)
    await intake.check_image(png(), "a.png")
    assert len(pids(intake)) == 1
    assert pids(intake) != first
    intake.close()


@confined
@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (b"open a file", "PermissionError"),
        (b"write a file", "PermissionError"),
        (b"open a socket", "PermissionError"),
        (b"take memory", "MemoryError"),
    ],
)
async def test_a_decoder_can_do_nothing_else(evil, deed, error):
    assert await words(evil, deed) == error


async def test_a_decoder_is_told_no_secret(evil, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("EASEL_DATA_DIR", "secret")
    assert "PATH" in (told := await words(evil, b"tell the environment"))
    assert "DISCORD" not in told
    assert "EASEL" not in told


async def test_what_a_decoder_prints_is_no_answer(evil):
    assert await words(evil, b"print") == "it worked"


@pytest.mark.parametrize("deed", [b"spin", b"crash"])
@confined
async def test_a_decoder_that_is_lost_is_replaced(evil, deed):
    await evil.check_image(b"behave", "a.png")
    lost = pids(evil)

    with pytest.raises(DecodeLimitExceeded, match="Scale it down"):
        await evil.check_image(deed, "a.png")

    assert len(pids(evil)) == 1
    assert pids(evil) != lost
    assert (await evil.check_image(b"behave", "a.png")).width == 32


async def test_a_decoder_that_sleeps_is_killed(evil):
    await evil.check_image(b"behave", "a.png")
    evil._timeout_seconds = 0.2
    with pytest.raises(DecodeLimitExceeded):
        await evil.check_image(b"sleep", "a.png")


async def test_a_turn_that_does_not_come_is_called_off_with_words(evil, monkeypatch):
    evil._timeout_seconds = 2.0
    monkeypatch.setattr(pool, "WAIT_TIMEOUT_SECONDS", 0.05)
    sleeping = asyncio.ensure_future(evil.check_image(b"sleep", "a.png"))
    await asyncio.sleep(0)  # it is the first in the line
    with pytest.raises(NoDecoder, match="Ask again later"):
        await evil.check_image(b"behave", "a.png")
    assert await evil.read_generation_text(b"behave") == ""
    assert await evil.read_generation_info(b"behave") is None
    with pytest.raises(NoDecoder):
        await sleeping


@pytest.mark.parametrize("deed", [b"exit", b"raise", b"speak nonsense"])
async def test_a_decoder_that_fails_by_itself_is_the_hosts_trouble(evil, deed):
    with pytest.raises(NoDecoder, match="Easel's keeper"):
        await evil.check_image(deed, "a.png")
    assert (await evil.check_image(b"behave", "a.png")).width == 32


@pytest.mark.parametrize(
    "deed",
    [
        b"answer nothing",
        b"answer with words",
        b"answer with a jpeg",
        b"answer with a bomb",
        b"answer with another size",
        b"answer with a long tail",
        b"answer with a size of words",
        b"refuse without words",
    ],
)
async def test_an_answer_is_believed_only_when_it_is_a_plain_picture(evil, deed):
    with pytest.raises(BrokenImage):
        await evil.check_image(deed, "a.png")


async def test_an_answer_larger_than_any_picture_is_not_read(evil):
    with pytest.raises(ImageRejected):
        await evil.check_image(b"answer with too much", "a.png")


REFUSALS = [
    NoDecoder(),
    BrokenImage("a.png"),
    NotAnImage("a.png"),
    TooManyPixels("a.png", "9000 × 9000 pixels", "1.05 megapixels"),
    TooManyPixels("a.png", "9000 × 9000 pixels", "0.552 megapixels of a WEBP"),
]
"""All that a member can be told of what the decoders of these tests answer."""


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed.startswith(b"refuse")])
async def test_a_member_reads_nothing_that_a_decoder_wrote(evil, deed):
    with pytest.raises(ImageRejected) as caught:
        await evil.check_image(deed, "a.png")
    assert str(caught.value) in map(str, REFUSALS)


async def test_a_note_is_one_of_the_bots_own(evil):
    assert (await evil.check_image(b"answer with notes", "a.png")).notes == ()


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"%PDF-1.7 words", NotAnImage("a.png", "a PDF document")),
        (b"II*\0 and more", UnsupportedFormat("a.png", "a TIFF")),
        (bomb(4000, 3000), TooManyPixels("a.png", "4000 × 3000 pixels", "1.05 megapixels")),
        (bomb(60_000, 60_000), TooManyPixels("a.png", "far larger than its file", "1.05 megapi")),
        (png((32, 24))[:60], BrokenImage("a.png")),
    ],
)
async def test_a_refusal_says_what_it_would_without_a_decoder(intake, data, refusal):
    with pytest.raises(type(refusal)) as caught:
        check_image(data, "a.png", LIMITS)
    with pytest.raises(type(refusal)) as answered:
        await intake.check_image(data, "a.png")
    assert str(answered.value) == str(caught.value)


async def test_what_broke_a_decoder_is_in_the_log(evil, caplog):
    with pytest.raises(NoDecoder):
        await evil.check_image(b"raise", "a.png")
    assert "RuntimeError: as told" in caplog.text


async def test_a_host_that_starts_no_process_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    intake = DecoderPool(LIMITS)
    intake.start()
    with pytest.raises(NoDecoder):
        await intake.check_image(png(), "a.png")
    assert await intake.read_generation_text(png()) == ""
    intake.close()


async def test_closing_ends_every_decoder():
    intake = DecoderPool(LIMITS, decoders=1)
    await intake.check_image(png(), "a.png")
    (only,) = intake._idle.queue
    intake.close()
    assert only.shut_down() == 0
