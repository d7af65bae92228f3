from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from bot.errors import (
    BrokenPicture,
    EmptyFile,
    FileTooLarge,
    NoDecoder,
    NotAPicture,
    PictureRefused,
    TooHeavy,
)
from bot.intake import decoder, pool
from bot.intake.pool import MAX_WORDS, Intake
from bot.pictures import PictureLimits
from tests.doubles.pictures import animation, png

LIMITS = PictureLimits(max_bytes=1 << 20, max_pixels=1 << 20)
confined = pytest.mark.skipif(sys.platform != "linux", reason="limits differ elsewhere")


@pytest.fixture(scope="module")
def intake() -> Iterator[Intake]:
    intake = Intake(LIMITS)
    intake.start()
    yield intake
    intake.close()


@pytest.fixture
def evil(monkeypatch) -> Iterator[Intake]:
    """One decoder that does what its files say."""
    monkeypatch.setattr(decoder, "MODULE", "tests.doubles.decoders")
    intake = Intake(LIMITS, decoders=1, seconds=1)
    yield intake
    intake.close()


def pids(intake: Intake) -> set[int]:
    return {one.pid for one in intake._idle.queue}


async def words(intake: Intake, deed: bytes) -> str:
    with pytest.raises(BrokenPicture) as caught:
        await intake.check(deed, "a.png")
    return str(caught.value)


async def test_a_picture_comes_back_plain(intake):
    picture = await intake.check(animation("GIF", size=(16, 12)), "film.gif")
    assert (picture.width, picture.height) == (16, 12)
    assert picture.notes == ("Only the first frame of the animation is used.",)


async def test_a_refusal_comes_back_as_what_it_is(intake):
    with pytest.raises(NotAPicture, match=r"a\.png is not a picture"):
        await intake.check(b"words", "a.png")


@pytest.mark.parametrize(("data", "refusal"), [(b"", EmptyFile), (b"x" * 2**21, FileTooLarge)])
async def test_bytes_are_bounded_before_a_decoder_sees_them(monkeypatch, data, refusal):
    intake = Intake(LIMITS)
    monkeypatch.setattr(Intake, "_ask", lambda *_: pytest.fail("it was asked"))
    with pytest.raises(refusal):
        await intake.check(data, "a.png")
    assert await intake.parameters(b"x" * 2**21) == ""
    intake.close()


async def test_decoders_are_reused(intake):
    await asyncio.gather(*(intake.check(png(), "a.png") for _ in range(6)))
    before = pids(intake)
    await asyncio.gather(*(intake.check(png(), "a.png") for _ in range(6)))
    assert pids(intake) == before
    assert len(before) <= pool.DECODERS


async def test_a_decoder_makes_room_for_a_fresh_one_in_time(monkeypatch):
    monkeypatch.setattr(pool, "SERVED", 2)
    intake = Intake(LIMITS, decoders=1)
    await intake.check(png(), "a.png")
    first = pids(intake)
    await intake.check(png(), "a.png")
    assert len(pids(intake)) == 1
    assert pids(intake) != first
    intake.close()


@confined
@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (b"open a file", "OSError"),
        (b"write a file", "OSError"),
        (b"open a socket", "OSError"),
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
    await evil.check(b"behave", "a.png")
    lost = pids(evil)

    with pytest.raises(TooHeavy, match="Scale it down"):
        await evil.check(deed, "a.png")

    assert len(pids(evil)) == 1
    assert pids(evil) != lost
    assert (await evil.check(b"behave", "a.png")).width == 32


async def test_a_decoder_that_sleeps_is_killed(evil):
    evil._allowance = decoder.Allowance(1 << 20, 1 << 20, 1, 0.2)
    with pytest.raises(TooHeavy):
        await evil.check(b"sleep", "a.png")


@pytest.mark.parametrize("deed", [b"exit", b"raise", b"speak nonsense"])
async def test_a_decoder_that_fails_by_itself_is_the_hosts_trouble(evil, deed):
    with pytest.raises(NoDecoder, match="Easel's keeper"):
        await evil.check(deed, "a.png")
    assert (await evil.check(b"behave", "a.png")).width == 32


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
        b"answer with notes of numbers",
        b"refuse without words",
    ],
)
async def test_an_answer_is_believed_only_when_it_is_a_plain_picture(evil, deed):
    with pytest.raises(BrokenPicture):
        await evil.check(deed, "a.png")


async def test_an_answer_larger_than_any_picture_is_not_read(evil):
    with pytest.raises(PictureRefused):
        await evil.check(b"answer with too much", "a.png")


async def test_words_of_a_decoder_are_bounded(evil):
    assert len(await words(evil, b"refuse in its own way")) == MAX_WORDS


async def test_a_host_that_starts_no_process_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    intake = Intake(LIMITS)
    intake.start()
    with pytest.raises(NoDecoder):
        await intake.check(png(), "a.png")
    assert await intake.parameters(png()) == ""
    intake.close()


async def test_closing_ends_every_decoder():
    intake = Intake(LIMITS, decoders=1)
    await intake.check(png(), "a.png")
    (only,) = intake._idle.queue
    intake.close()
    assert only.end() == 0
